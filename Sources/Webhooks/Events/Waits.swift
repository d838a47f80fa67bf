/// Those who lost their connection and may come back, in the order in which they left.
///
/// All wait equally long, so that the first is always the next whose time is over. Who came back, or was told of otherwise, stays in the
/// list until its turn, and is recognised by its `Standing`.
struct Waits {
    /// Somebody who left.
    struct Entry {
        let app: AppStory
        let channel: ChannelStory
        /// A member of the channel; nil: the channel, or the user, itself.
        let user: NameKey?
        /// Milliseconds of the edges' clock.
        let since: UInt64
    }

    /// 32 MiB of entries: a million who lose their connection within the wait.
    static let entriesMaxDefault = 1 << 20

    /// When more wait, the first is told early.
    let entriesMax: Int
    private var entries: [Entry] = []
    /// Those before it are gone.
    private var first = 0

    init(entriesMax: Int = entriesMaxDefault) { self.entriesMax = entriesMax }

    var count: Int { entries.count - first }

    var isTooLong: Bool { count > entriesMax }

    var oldest: Entry? { first < entries.count ? entries[first] : nil }

    mutating func add(_ entry: Entry) { entries.append(entry) }

    mutating func takeOldest() -> Entry? {
        guard first < entries.count else { return nil }
        let entry = entries[first]
        first += 1
        if first == entries.count {
            if entries.capacity > 4_096 { entries = [] } else { entries.removeAll(keepingCapacity: true) }
            first = 0
        } else if first >= 1_024, first * 2 >= entries.count {
            entries.removeFirst(first)
            first = 0
        }
        return entry
    }
}
