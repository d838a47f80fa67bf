/// Lets one miss of a channel's cache through in ten seconds, however many subscribe (PW-173).
///
/// Bounded: when so many channels have missed in ten seconds, the first is forgotten, and may be told once more.
struct CacheMisses {
    private struct Key: Hashable {
        var app: Int
        var channel: NameKey
    }

    static let windowMilliseconds: UInt64 = 10_000
    static let channelsMax = 16_384

    private var known: Set<Key> = []
    private var entries: [(key: Key, since: UInt64)] = []
    /// Those before it are over.
    private var first = 0
    /// Forgotten before their time was over.
    private(set) var forgotten: UInt64 = 0

    /// Whether it is the channel's first in this time.
    mutating func admit(_ channel: [UInt8], app: Int, milliseconds: UInt64) -> Bool {
        while let oldest, oldest.since + Self.windowMilliseconds <= milliseconds { forgetOldest() }
        let key = Key(app: app, channel: NameKey(channel))
        guard known.insert(key).inserted else { return false }
        if entries.count - first == Self.channelsMax {
            forgetOldest()
            forgotten += 1
        }
        entries.append((key, milliseconds))
        return true
    }

    private var oldest: (key: Key, since: UInt64)? { first < entries.count ? entries[first] : nil }

    private mutating func forgetOldest() {
        known.remove(entries[first].key)
        first += 1
        if first * 2 >= entries.count {
            entries.removeFirst(first)
            first = 0
        }
    }
}
