internal import Synchronization

/// Counts within a window of time: events this second, messages this day. Safe from any thread.
///
/// The window's number and the count share one word, so that a new window resets the count in the same step that sees it.
final class WindowCounter: Sendable {
    /// The count has the low 40 bits, the window's number the rest.
    private static let countBits: UInt64 = 40
    static let countMax = 1 << Int(countBits) - 1
    private static let windowMask: UInt64 = 1 << (64 - countBits) - 1
    private let word = Atomic<UInt64>(0)

    /// Takes `amount` from the window if the limit allows all of it.
    /// - Parameters:
    ///   - window: the number of the current window; only its low 24 bits count.
    ///   - limit: at most `countMax`.
    /// - Returns: false, and nothing taken, when the limit would be passed.
    func acquire(_ amount: Int, window: UInt64, limit: Int) -> Bool {
        var current = window & Self.windowMask
        var seen = word.load(ordering: .relaxed)
        while true {
            // A loop whose turn began before the window did counts in the window the others are in; were it to go back,
            // each such step would empty the count.
            if Self.window(seen) == (current + 1) & Self.windowMask { current = Self.window(seen) }
            let used = Self.window(seen) == current ? Self.count(seen) : 0
            guard amount <= min(limit, Self.countMax) - used else { return false }
            let wanted = current << Self.countBits | UInt64(used + amount)
            let (exchanged, original) = word.compareExchange(expected: seen, desired: wanted, ordering: .relaxed)
            if exchanged { return true }
            seen = original
        }
    }

    /// Gives back what was taken and not used, unless the window is over.
    func release(_ amount: Int, window: UInt64) {
        let current = window & Self.windowMask
        var seen = word.load(ordering: .relaxed)
        while Self.window(seen) == current {
            let wanted = current << Self.countBits | UInt64(max(0, Self.count(seen) - amount))
            let (exchanged, original) = word.compareExchange(expected: seen, desired: wanted, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }

    private static func window(_ word: UInt64) -> UInt64 { word >> countBits }

    private static func count(_ word: UInt64) -> Int { Int(word & UInt64(countMax)) }
}
