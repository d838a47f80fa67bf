/// A name as the key of a table: hashed in one step, with a seed of the process, because clients choose names.
struct NameKey: Hashable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

/// What receivers were told of somebody or something, and what is true of it.
///
/// ```
///                came: "here" is told
///     away ─────────────────────────────▶ here ◀─────────────────────┐
///      ▲                                   │ │                        │ came back: nothing is told,
///      │   left by itself: "gone" is told  │ │ lost its connection    │ neither that it was gone nor that it is here
///      └───────────────────────────────────┘ ▼                        │
///      ▲                                  leaving ────────────────────┘
///      └──── the wait is over: "gone" is told ┘
/// ```
enum Standing: Equatable {
    /// Nobody asks.
    case unknown
    case away
    /// It was here before anybody asked, so that receivers are told when it goes. An edge that says that it came is proof of the contrary.
    case assumed
    case here
    /// - Parameter since: when it left, in milliseconds of the edges' clock.
    case leaving(since: UInt64)

    var isHere: Bool { self == .here || self == .assumed }

    var leftAt: UInt64? { if case .leaving(let since) = self { since } else { nil } }
}

/// What was told of one channel or signed-in user. In the table of its app as long as there is something to say of it.
///
/// A class, so that a wait finds it without a search. Owned by the `EdgeStory`.
final class ChannelStory {
    let name: NameKey
    /// Of a channel whether it is occupied; of a user whether he is online.
    var occupancy: Standing
    /// Members of a presence channel who are not away.
    var members: [NameKey: Standing] = [:]
    /// Edges up to this number are contained in what was read of it.
    var readNumber: UInt64 = 0

    init(_ name: NameKey, _ occupancy: Standing) { (self.name, self.occupancy) = (name, occupancy) }

    var isUser: Bool { name.bytes.first == UInt8(ascii: "#") }

    /// There is nothing that a receiver may still be told of it.
    var isIdle: Bool { members.isEmpty && (occupancy == .away || occupancy == .unknown) }

    /// The user's id, of a user.
    var userID: [UInt8] { Array(name.bytes.dropFirst("#server-to-user-".utf8.count)) }

    /// When the last member left of a channel that everybody has left; nil: somebody is here, or no member waits.
    var lastLeftAt: UInt64? {
        var last: UInt64?
        for standing in members.values {
            guard let since = standing.leftAt else { return nil }
            last = max(last ?? 0, since)
        }
        return last
    }
}
