/// Lets at most so many lines of a kind through in any second, and of those that say the same one, and counts the rest until it can be said.
///
/// Pure: the time comes with each call, in milliseconds of one monotonic clock. Its size is `kinds` × `linesPerSecond` pairs of numbers.
public struct LineLimiter: Sendable {
    /// A line that was let through, and what it says.
    private struct Line {
        var time: UInt64 = 0
        /// nil: it is like no other.
        var words: Int?
    }

    /// What is known of one kind: a ring of its last lines, and what was left out since the last of them.
    private struct Kind {
        var lines: [Line]
        /// The oldest of `lines`, which the next line replaces.
        var next = 0
        /// Lines ever; until the ring is full there is room.
        var lineCount = 0
        var suppressed: UInt64 = 0
        var suppressedSince: UInt64 = 0
    }

    private static let windowMilliseconds: UInt64 = 1_000
    private let linesPerSecond: Int
    private var kinds: [Kind]

    /// - Parameter linesPerSecond: 0 lets nothing through but the counts.
    public init(kinds: Int, linesPerSecond: Int) {
        self.linesPerSecond = linesPerSecond
        self.kinds = Array(repeating: Kind(lines: Array(repeating: Line(), count: linesPerSecond)), count: kinds)
    }

    /// Asks for one line.
    /// - Parameter words: a hash of what it says; nil: whatever that is, it is no repetition.
    /// - Returns: how many of its kind were left out since the last line, which this one has to say; nil: it is left out too.
    public mutating func admit(_ kind: Int, saying words: Int? = nil, now: UInt64) -> UInt64? {
        let isFull = kinds[kind].lineCount >= linesPerSecond
        let hasRoom = !isFull || linesPerSecond > 0 && now >= oldest(kind) + Self.windowMilliseconds
        guard hasRoom, !isRepeated(kind, words, now) else {
            leaveOut(1, of: kind, now: now)
            return nil
        }
        let next = kinds[kind].next
        kinds[kind].lines[next] = Line(time: now, words: words)
        kinds[kind].next = next + 1 == linesPerSecond ? 0 : next + 1
        kinds[kind].lineCount += 1
        defer { kinds[kind].suppressed = 0 }
        return kinds[kind].suppressed
    }

    /// Counts lines of a kind that nobody asked for one by one.
    public mutating func leaveOut(_ count: UInt64, of kind: Int, now: UInt64) {
        if kinds[kind].suppressed == 0 { kinds[kind].suppressedSince = now }
        kinds[kind].suppressed += count
    }

    /// Takes the counts that no later line has said for a second (or all of them: at the end), each to be said in a line of its own.
    public mutating func takeOverdue(now: UInt64, all: Bool = false) -> [(kind: Int, suppressed: UInt64)] {
        var due: [(kind: Int, suppressed: UInt64)] = []
        for kind in kinds.indices where kinds[kind].suppressed > 0 {
            guard all || now >= kinds[kind].suppressedSince + Self.windowMilliseconds else { continue }
            due.append((kind, kinds[kind].suppressed))
            kinds[kind].suppressed = 0
        }
        return due
    }

    /// Whether some count waits to be said.
    public var isOwing: Bool { kinds.contains { $0.suppressed > 0 } }

    private func oldest(_ kind: Int) -> UInt64 { kinds[kind].lines[kinds[kind].next].time }

    private func isRepeated(_ kind: Int, _ words: Int?, _ now: UInt64) -> Bool {
        guard let words else { return false }
        return kinds[kind].lines.contains { $0.words == words && now < $0.time + Self.windowMilliseconds }
    }
}
