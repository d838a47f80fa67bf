internal import BrokerCore

/// The dead letters, each once, in the order in which they came.
struct SpoolLetters {
    private struct Kept {
        var letter: DeadLetter
        var place = SpoolPlace.nowhere
        /// The disk has a record of it, be it one of an earlier death.
        var wasWritten = false
        /// Which entry of `order` is its own.
        var turn: UInt64
    }

    private struct Turn {
        var key: SpoolLetterKey
        var number: UInt64
    }

    private var kept: [SpoolLetterKey: Kept] = [:]
    /// Also of letters that are gone, and of those that came again.
    private var order = SpoolQueue<Turn>()
    private var turns: UInt64 = 0
    /// As events count in a queue, and the reasons.
    private(set) var keptBytes = 0

    var count: Int { kept.count }

    subscript(key: SpoolLetterKey) -> DeadLetter? { kept[key]?.letter }

    /// Puts it behind the others. One of the same name that was there is this one from now on.
    mutating func insert(_ letter: DeadLetter) -> SpoolLetterKey {
        let key = SpoolLetterKey(endpoint: letter.endpoint, event: letter.event.id)
        turns += 1
        if var old = kept[key] {
            keptBytes -= old.letter.keptBytes
            (old.letter, old.turn) = (letter, turns)
            kept[key] = old
        } else {
            kept[key] = Kept(letter: letter, turn: turns)
        }
        keptBytes += letter.keptBytes
        order.append(Turn(key: key, number: turns))
        if order.count > 1_024, order.count > kept.count * 2 {
            let kept = kept
            order.keep { kept[$0.key]?.turn == $0.number }
        }
        return key
    }

    /// - Returns: where it stood, and whether the disk has a record of it; nil: there is none.
    mutating func remove(_ key: SpoolLetterKey) -> (SpoolPlace, wasWritten: Bool)? {
        guard let old = kept.removeValue(forKey: key) else { return nil }
        keptBytes -= old.letter.keptBytes
        return (old.place, old.wasWritten)
    }

    /// - Returns: where it stood before; nil: there is none.
    mutating func place(_ key: SpoolLetterKey, _ place: SpoolPlace) -> SpoolPlace? {
        guard var one = kept[key] else { return nil }
        let old = one.place
        one.place = place
        if !place.isNowhere { one.wasWritten = true }
        kept[key] = one
        return old
    }

    func place(of key: SpoolLetterKey) -> SpoolPlace? { kept[key]?.place }

    /// Those of a segment, in their order.
    func keys(in segment: UInt64) -> [SpoolLetterKey] {
        order.waiting.compactMap { turn in
            guard let one = kept[turn.key], one.turn == turn.number, one.place.segment == segment else { return nil }
            return turn.key
        }
    }

    /// In their order.
    var all: [DeadLetter] {
        order.waiting.compactMap { turn in
            guard let one = kept[turn.key], one.turn == turn.number else { return nil }
            return one.letter
        }
    }

    /// The one that came first; it is to be removed by the caller.
    mutating func takeOldest() -> SpoolLetterKey? {
        while let turn = order.popFirst() {
            if kept[turn.key]?.turn == turn.number { return turn.key }
        }
        return nil
    }
}

extension DeadLetter {
    /// What it counts in memory.
    var keptBytes: Int { event.keptBytes + 64 + reason.utf8.count }
}
