/// What the log may want to know of the last commands; the broker itself writes nothing.
///
/// Refusals are always noted, because a client can be told less than its operator. What went well is noted only while `isTracing`,
/// so that it costs one branch otherwise. At most `notesMax` are kept; more are counted by kind.
public struct Notes {
    public enum Kind: UInt8, Sendable, CaseIterable {
        case subscriptionRefused, signInRefused, clientEventRefused, messageRefused
        /// Only while tracing.
        case subscribed, unsubscribed, signedIn, clientEventSent
    }

    /// One refusal, or one thing that went well.
    public struct Note: Sendable, Equatable {
        public var kind: Kind
        public var slot: UInt32
        /// The code the client was told, if any.
        public var code: Int?
        /// The channel's name as it came, cut to `channelBytesMax`; empty when there is none.
        public var channel: [UInt8]
        /// Why, or a client event's name as a JSON literal; never a secret.
        public var text: String
    }

    static let channelBytesMax = 200
    static let notesMax = 64
    static let traceNotesMax = 4_096

    /// Note what goes well too.
    public var isTracing = false
    public private(set) var list: [Note] = []
    /// How many of each kind (by raw value) were not kept; empty while none.
    public private(set) var leftOut: [UInt64] = []

    public var isEmpty: Bool { list.isEmpty }
    var count: Int { list.count }

    init() {}

    /// Notes one thing that is not about a channel, or whose channel `complete` will tell.
    mutating func add(_ kind: Kind, _ slot: UInt32, code: Int? = nil, _ text: String = "") {
        guard hasRoom(kind) else { return }
        list.append(Note(kind: kind, slot: slot, code: code, channel: [], text: text))
    }

    mutating func add(_ kind: Kind, _ slot: UInt32, code: Int? = nil, channel: Span<UInt8>, _ text: String = "") {
        guard hasRoom(kind) else { return }
        list.append(Note(kind: kind, slot: slot, code: code, channel: Self.shortened(channel), text: text))
    }

    /// The notes from `first` on are about this channel, unless they name their own or the message named none.
    mutating func complete(from first: Int, channel: Span<UInt8>) {
        guard !channel.isEmpty else { return }
        for index in list.indices.dropFirst(first) where list[index].channel.isEmpty {
            list[index].channel = Self.shortened(channel)
        }
    }

    private static func shortened(_ channel: Span<UInt8>) -> [UInt8] {
        ChannelTable.copy(channel.extracting(0..<min(channel.count, channelBytesMax)))
    }

    private mutating func hasRoom(_ kind: Kind) -> Bool {
        guard list.count < (isTracing ? Self.traceNotesMax : Self.notesMax) else {
            if leftOut.isEmpty { leftOut = Array(repeating: 0, count: Kind.allCases.count) }
            leftOut[Int(kind.rawValue)] += 1
            return false
        }
        return true
    }

    public mutating func clear() {
        list.removeAll(keepingCapacity: list.count <= Self.notesMax)
        leftOut = []
    }
}

extension Span<UInt8> {
    /// The bytes as text, for the log.
    var text: String { String(decoding: ChannelTable.copy(self), as: UTF8.self) }
}
