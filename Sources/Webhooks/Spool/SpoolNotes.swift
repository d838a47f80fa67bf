/// Sentences about what was found damaged; so many, and how many more.
struct SpoolNotes {
    static let sentencesMax = 50

    private var kept: [String] = []
    private var left = 0

    var sentences: [String] {
        left == 0 ? kept : kept + ["\(left) more faults of the spool are not listed."]
    }

    mutating func add(_ sentence: String) {
        if kept.count < Self.sentencesMax { kept.append(sentence) } else { left += 1 }
    }

    mutating func add(_ damage: SpoolDamage, in name: String) {
        let bytes = damage.count == 1 ? "1 byte" : "\(damage.count) bytes"
        let place = "\(name): \(bytes) at \(damage.offset)"
        switch (damage.kind, damage.isTail) {
        case (.unknownRecord, _): add("\(place) are an entry that this version does not know; it is left out.")
        case (.zeros, true): add("\(place), to the end, are zero, as after a power cut; nothing can be read there.")
        case (.bytes, true): add("\(place), to the end, are of an entry that was not written whole; it is left out.")
        case (_, false): add("\(place) are damaged; what was there is left out.")
        }
    }
}
