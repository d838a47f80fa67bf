// A segment of the webhook spool. First byte: the size of the pieces; second: 1: the rest is bodies, each behind its kind and its length
// in one byte, which get right checksums; otherwise the rest is the segment's bytes.
#if canImport(Webhooks)
    @testable import Webhooks
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count >= 2 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: start + 2, count: count - 2))
    let bytes = start[1] == 1 ? sealed(input) : input
    let whole = read(bytes, step: max(1, bytes.count))
    precondition(whole == read(bytes, step: Int(start[0]) + 1), "the pieces change what is read")
    checkPlaces(whole, bytes)
    checkHarvest(whole)
    return 0
}

/// The bodies as records of segment 1.
private func sealed(_ input: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = input[...]
    while rest.count >= 2 {
        let (kind, length) = (rest[rest.startIndex], Int(rest[rest.startIndex + 1]))
        var record: [UInt8] = []
        record.appendLittle(SpoolFormat.recordMagic)
        let body = rest.dropFirst(2).prefix(length)
        record.appendLittle(UInt32(kind) | UInt32(body.count) << 8)
        record.appendLittle(record.withUnsafeBytes { SpoolRecord.headerChecksum($0, segment: 1) })
        record.appendLittle(UInt32(0))
        record += body
        let checksum = record.withUnsafeBytes { SpoolRecord.checksum($0) }
        record.withUnsafeMutableBytes { $0.storeBytes(of: checksum.littleEndian, toByteOffset: 12, as: UInt32.self) }
        bytes += record
        rest = rest.dropFirst(2 + length)
    }
    return bytes
}

private func read(_ bytes: [UInt8], step: Int) -> [SpoolReader.Item] {
    var reader = SpoolReader(segment: 1, at: 0)
    var items: [SpoolReader.Item] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
        bytes[start..<min(start + step, bytes.count)].withUnsafeBytes {
            reader.take($0, isEnd: false) { items.append($0) }
        }
    }
    reader.take(UnsafeRawBufferPointer(start: nil, count: 0), isEnd: true) { items.append($0) }
    return items
}

/// Each byte is in one item, and a record has one form.
private func checkPlaces(_ items: [SpoolReader.Item], _ bytes: [UInt8]) {
    var place = 0
    for item in items {
        switch item {
        case .record(let record, let at, let count):
            precondition(Int(at) == place, "a record is where the last item ended")
            var again: [UInt8] = []
            precondition(record.append(to: &again, segment: 1), "what was read can be written")
            precondition(again[...] == bytes[place..<place + count], "and is the same")
            place += count
        case .damage(let damage):
            precondition(Int(damage.offset) == place && damage.count > 0, "damage is where the last item ended")
            place += Int(damage.count)
            precondition(
                damage.isTail == (place == bytes.count) || damage.kind == .unknownRecord, "the tail is at the end")
        }
    }
    precondition(place == bytes.count, "all of it was told")
}

private func checkHarvest(_ items: [SpoolReader.Item]) {
    var harvest = SpoolHarvest(bytesMax: 1_000)
    for segment in [UInt64(2), 1] {
        harvest.begin(segment)
        for case .record(let record, _, let bytes) in items { harvest.take(record, bytes: bytes) }
        harvest.endSegment()
    }
    let waiting = harvest.takeWaiting()
    precondition(
        zip(waiting, waiting.dropFirst()).allSatisfy { $0.entry.event.id < $1.entry.event.id }, "each event once")
    precondition(waiting.allSatisfy { !$0.entry.endpoints.isEmpty && $0.entry.event.id.number < harvest.nextNumber })
    precondition(waiting.reduce(0) { $0 + $1.bytes } <= 1_000, "no more than it may hold")
    let letters = harvest.takeLetters()
    precondition(
        Set(letters.map { SpoolLetterKey(endpoint: $0.letter.endpoint, event: $0.letter.event.id) }).count
            == letters.count)
}
