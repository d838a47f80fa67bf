/// A loop that has a channel in its table, as the channel's record knows it.
struct LoopEntry {
    /// What a loop that was not told everything was told last of a watched user.
    enum Told: UInt8 { case everything, online, offline }

    let channel: LocalChannelID
    /// Subscribers of that loop, as the record counts them.
    var count: UInt32
    private let loopNumber: UInt8
    /// Watchers only.
    var told = Told.everything

    init(loop: Int, channel: LocalChannelID, count: UInt32) {
        self.channel = channel
        self.count = count
        loopNumber = UInt8(loop)
    }

    var loop: Int { Int(loopNumber) }
}

/// The loops of one record, in any order. Most channels have subscribers on one loop only, which stands here and costs no memory
/// of its own.
struct LoopEntries: RandomAccessCollection, MutableCollection {
    private var first: LoopEntry?
    private var others: [LoopEntry] = []

    var startIndex: Int { 0 }
    var endIndex: Int { first == nil ? 0 : 1 + others.count }

    subscript(index: Int) -> LoopEntry {
        get {
            guard index == 0, let first else { return others[index - 1] }
            return first
        }
        set {
            if index == 0 {
                precondition(first != nil, "there is no loop at this index")
                first = newValue
            } else {
                others[index - 1] = newValue
            }
        }
    }

    /// What a `for` would do, without its iterator: every event goes this way.
    @inline(__always)
    func forEach(_ body: (LoopEntry) -> Void) {
        guard let first else { return }
        body(first)
        if !others.isEmpty { for entry in others { body(entry) } }
    }

    /// One subscriber more on a loop, at the place the loop named.
    mutating func add(_ channel: LocalChannelID, loop: Int) {
        guard let at = firstIndex(where: { $0.loop == loop }) else {
            let entry = LoopEntry(loop: loop, channel: channel, count: 1)
            if first == nil { first = entry } else { others.append(entry) }
            return
        }
        precondition(self[at].channel == channel, "a loop names one place for a channel until it has emptied it")
        self[at].count += 1
    }

    /// One subscriber fewer on a loop.
    /// - Returns: true when the loop has none left and may free its place.
    mutating func remove(loop: Int) -> Bool {
        guard let at = firstIndex(where: { $0.loop == loop }) else {
            preconditionFailure("a loop gives back only what it has taken")
        }
        self[at].count -= 1
        guard self[at].count == 0 else { return false }
        guard let last = others.popLast() else {
            first = nil
            return true
        }
        if at <= others.count { self[at] = last }
        return true
    }
}
