import BrokerCore
import PusherProtocol
import TestSupport
import Testing

@testable import Webhooks

@Suite("The spool's files, byte by byte")
struct SpoolReaderTests {
    @Test("CRC-32C of RFC 3720's examples (§B.4)")
    func checksums() {
        let pdu: [UInt8] =
            [0x01, 0xC0, 0, 0] + [UInt8](repeating: 0, count: 12) + [0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14]
            + [0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0]
        let rows: [([UInt8], UInt32)] = [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0...31), 0x46DD_794E), ((0...31).reversed(), 0x113F_DB5C), (pdu, 0xD996_3A56),
            (Array("123456789".utf8), 0xE306_9283), ([], 0),
        ]
        for (bytes, value) in rows {
            #expect(CRC32C.of(bytes) == value)
            for cut in 0...bytes.count {
                var crc = CRC32C()
                bytes[..<cut].withUnsafeBytes { crc.take($0) }
                bytes[cut...].withUnsafeBytes { crc.take($0) }
                #expect(crc.value == value, "in two pieces")
            }
        }
    }

    static let records: [SpoolRecord] = [
        .checkpoint(next: 41, []),
        .checkpoint(next: 1 << 62, [SpoolCursor(endpoint: WebhookEndpointID(.max), through: 40)]),
        .event(Sample.entry(41)), .event(Sample.entry(42, [1, 2, .max], json: "")),
        .finished(SpoolCursor(endpoint: WebhookEndpointID(2), through: 42)),
        .buried(Sample.letter(41, reason: "kaputt – 💥")), .buried(Sample.letter(1, 9, reason: "")),
        .forgotten(SpoolLetterKey(endpoint: WebhookEndpointID(1), event: WebhookEvent.ID(run: .max, number: 41))),
        .event(Sample.entry(SpoolFormat.numberMax)),
    ]

    @Test("The bytes of version 1 are these for ever")
    func frozen() {
        let entry = SpoolEntry(
            event: WebhookEvent(
                id: WebhookEvent.ID(run: 0x0102_0304_0506_0708, number: 9), kind: .memberRemoved, app: "a",
                channel: [0x63],
                unixMilliseconds: 0x18B, json: Array("{}".utf8)), endpoints: [WebhookEndpointID(0x1122)])
        let bytes = Sample.segment(26, [.event(entry), .checkpoint(next: 10, [])]).bytes
        let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(SpoolFormat.name(of: 26) == "000000000000001a.spool")
        #expect(text == Self.frozenText)
    }

    static let frozenText =
        "8953504f4f4c0d0a01000000000000001a000000000000000000000095edb0c9"
        + "ff5352fe022f000057a9c8e039c57d0f080706050403020109000000000000008b0100000000000003010061010063"
        + "020000007b7d01002211000000000000ff5352fe010c000067c105b41616d8f70a0000000000000000000000"

    @Test("What was written is read, whole and in pieces of any size", arguments: 0..<40)
    func roundTrip(seed: Int) {
        var random = SeededRandom(seed: seed)
        let records = Self.records + (1...50).map { Sample.randomRecord($0, &random) }
        let segment = UInt64(random.int(1...9))
        let bytes = Sample.segment(segment, records).bytes
        let items = readSpool(bytes, segment: segment)
        #expect(items.records == records && items.damage.isEmpty, "seed \(seed)")
        #expect(readSpool(bytes, segment: segment, piecesOf: random.int(1...300), random) == items, "seed \(seed)")
    }

    @Test("What does not fit into a record is not written, and leaves nothing behind")
    func tooLong() {
        var bytes: [UInt8] = [1]
        let long = String(repeating: "x", count: 70_000)
        var event = Sample.event(1)
        event.app = long
        var rows: [SpoolRecord] = [
            .buried(Sample.letter(1, reason: long)),
            .event(SpoolEntry(event: event, endpoints: [WebhookEndpointID(1)])),
            .event(Sample.entry(1, [])), .event(Sample.entry(0)), .event(Sample.entry(SpoolFormat.numberMax + 1)),
            .event(Sample.entry(1, json: String(repeating: "x", count: SpoolFormat.bodyBytesMax))),
            .event(Sample.entry(1, [UInt64](repeating: 1, count: 65_536))),
        ]
        event = Sample.event(1)
        event.channel = Array(long.utf8)
        rows.append(.event(SpoolEntry(event: event, endpoints: [WebhookEndpointID(1)])))
        for row in rows { #expect(!row.append(to: &bytes, segment: 1) && bytes == [1]) }
    }

    /// A segment of a few records, the places where each begins, and the end.
    private static func small() -> (records: [SpoolRecord], bytes: [UInt8], starts: [Int]) {
        let (bytes, starts) = Sample.segment(3, records)
        return (records, bytes, starts + [bytes.count])
    }

    @Test("A changed byte costs the record that it is in, and no other", arguments: [0x01, 0x80, 0xFF] as [UInt8])
    func flips(mask: UInt8) {
        let (records, bytes, starts) = Self.small()
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= mask
            var expected = records
            let hit = starts.lastIndex { $0 <= place }
            if let hit { expected.remove(at: hit) }
            let items = readSpool(changed, segment: 3)
            #expect(items.records == expected, "byte \(place)")
            let from = hit.map { starts[$0] } ?? 0
            let to = hit.map { starts[$0 + 1] } ?? SpoolFormat.headerBytes
            #expect(items.damage.first?.offset == UInt64(from) && items.damage.count == 1, "byte \(place)")
            #expect(items.damage.first?.count == UInt64(to - from), "byte \(place)")
            #expect(items.damage.first?.isTail == (to == bytes.count), "byte \(place)")
            #expect(readSpool(changed, segment: 3, piecesOf: 40) == items, "byte \(place)")
        }
    }

    @Test("A file that was cut has all that was whole before the cut")
    func cuts() {
        let (records, bytes, starts) = Self.small()
        for cut in bytes.indices {
            let whole = starts.dropFirst().filter { $0 <= cut }.count
            let items = readSpool(Array(bytes[..<cut]), segment: 3)
            #expect(items.records == Array(records[..<whole]), "cut at \(cut)")
            let isClean = cut == 0 || starts.contains(cut)
            #expect(items.damage.map(\.isTail) == (isClean ? [] : [true]), "cut at \(cut)")
            let zeroed = Array(bytes[..<cut]) + [UInt8](repeating: 0, count: bytes.count - cut)
            // A record may have ended in zeros.
            let same = zip(zeroed, bytes).prefix { $0 == $1 }.count
            let left = starts.dropFirst().filter { $0 <= same }.count
            #expect(readSpool(zeroed, segment: 3).records == Array(records[..<left]), "zeros from \(cut)")
        }
        let zeros = readSpool(bytes + [UInt8](repeating: 0, count: 5_000), segment: 3).damage
        #expect(zeros == [SpoolDamage(offset: UInt64(bytes.count), count: 5_000, kind: .zeros, isTail: true)])
    }

    @Test("Garbage between and inside records, and bytes that are missing, cost no other record", arguments: 0..<100)
    func garbage(seed: Int) {
        var random = SeededRandom(seed: seed)
        let (records, bytes, starts) = Self.small()
        let place = random.int(SpoolFormat.headerBytes...bytes.count)
        var noise = Array(bytes[starts[2]..<starts[3]])
        noise[20] ^= 1
        if random.oneIn(2) { noise = random.bytes(random.int(1...2_000)) }
        if random.oneIn(3) { noise = [UInt8](repeating: SpoolFormat.recordFirstByte, count: 100) }
        let filled = Array(bytes[..<place]) + noise + Array(bytes[place...])
        var expected = records
        if !starts.contains(place), let hit = starts.lastIndex(where: { $0 <= place }) {
            // The noise may be such that the record stands there whole all the same, a little later.
            let record = bytes[starts[hit]..<starts[hit + 1]]
            if !filled.indices.contains(where: { filled[$0...].starts(with: record) }) { expected.remove(at: hit) }
        }
        #expect(readSpool(filled, segment: 3).records == expected, "seed \(seed)")
        #expect(readSpool(filled, segment: 3, piecesOf: 100, random) == readSpool(filled, segment: 3), "seed \(seed)")

        let end = min(bytes.count, place + random.int(1...300))
        let touched = records.indices.filter { starts[$0] < end && starts[$0 + 1] > place }
        let shorter = Array(bytes[..<place]) + Array(bytes[end...])
        let left = records.indices.filter { place == end || !touched.contains($0) }.map { records[$0] }
        // What went may be what follows again, and then nothing is gone.
        let found = readSpool(shorter, segment: 3).records
        let hasAll = left.allSatisfy { found.contains($0) } && found.allSatisfy { records.contains($0) }
        #expect(hasAll, "seed \(seed)")
    }

    @Test("A record of another segment is none, wherever it stands")
    func strangers() {
        let stale = Sample.segment(2, Self.records).bytes
        let items = readSpool(Sample.segment(3, []).bytes + stale, segment: 3)
        #expect(items.records.isEmpty && items.damage.map(\.isTail) == [true])
    }

    @Test("Bytes in an event that look like a record are none, even where their event is damaged")
    func recordsInside() {
        var inner: [UInt8] = []
        _ = SpoolRecord.event(Sample.entry(99)).append(to: &inner, segment: 3)
        // JSON has no byte FF, so the nearest that a client can send has none of the magic.
        let text = String(decoding: inner, as: UTF8.self)
        var (bytes, starts) = Sample.segment(3, [.event(Sample.entry(1, json: text)), .event(Sample.entry(2))])
        bytes[starts[0] + 20] ^= 1
        #expect(readSpool(bytes, segment: 3).records == [.event(Sample.entry(2))])
    }

    @Test("A record that this version does not know is passed over, and said")
    func unknown() {
        var bytes = Sample.segment(3, [.event(Sample.entry(1))]).bytes
        let start = bytes.count
        _ = SpoolRecord.finished(SpoolCursor(endpoint: WebhookEndpointID(1), through: 1)).append(to: &bytes, segment: 3)
        Self.seal(&bytes, at: start, kind: 77)
        _ = SpoolRecord.event(Sample.entry(2)).append(to: &bytes, segment: 3)
        let items = readSpool(bytes, segment: 3)
        #expect(items.records == [.event(Sample.entry(1)), .event(Sample.entry(2))])
        #expect(items.damage == [SpoolDamage(offset: UInt64(start), count: 32, kind: .unknownRecord)])
    }

    /// Gives the last record another kind, and right checksums.
    private static func seal(_ bytes: inout [UInt8], at start: Int, kind: UInt8) {
        bytes[start + 4] = kind
        var record = Array(bytes[start...])
        let header = record.withUnsafeBytes { SpoolRecord.headerChecksum($0, segment: 3) }
        record.withUnsafeMutableBytes { $0.storeBytes(of: header.littleEndian, toByteOffset: 8, as: UInt32.self) }
        let whole = record.withUnsafeBytes { SpoolRecord.checksum($0) }
        record.withUnsafeMutableBytes { $0.storeBytes(of: whole.littleEndian, toByteOffset: 12, as: UInt32.self) }
        bytes.replaceSubrange(start..., with: record)
    }

    @Test("Headers that promise long bodies one after another do not make reading quadratic")
    func nested() {
        // 40,000 headers of 0.6 MB each would be 20 GB to sum.
        var header = [UInt8](repeating: 0, count: 16)
        header.withUnsafeMutableBytes {
            $0.storeBytes(of: SpoolFormat.recordMagic.littleEndian, toByteOffset: 0, as: UInt32.self)
            $0.storeBytes(of: (2 | UInt32(600_000) << 8).littleEndian, toByteOffset: 4, as: UInt32.self)
        }
        let checksum = header.withUnsafeBytes { SpoolRecord.headerChecksum($0, segment: 3) }
        header.withUnsafeMutableBytes { $0.storeBytes(of: checksum.littleEndian, toByteOffset: 8, as: UInt32.self) }
        let hostile = (0..<80_000).flatMap { _ in header }
        var bytes = Sample.segment(3, []).bytes + hostile
        _ = SpoolRecord.event(Sample.entry(2)).append(to: &bytes, segment: 3)
        let items = readSpool(bytes, segment: 3)
        #expect(items.damage.count == 1)
    }

    @Test("Headers say what a file is")
    func headers() {
        let bytes = SpoolHeader.bytes(of: 26)
        #expect(bytes.count == SpoolFormat.headerBytes && SpoolHeader(bytes) == .segment(26))
        #expect(SpoolHeader(SpoolHeader.bytes(of: 26, version: 2)) == .version(2))
        #expect(SpoolHeader(SpoolHeader.bytes(of: 0)) == .damaged)
        #expect(SpoolHeader(SpoolHeader.bytes(of: SpoolFormat.segmentMax + 1)) == .damaged)
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 0x10
            #expect(SpoolHeader(changed) == .damaged && SpoolHeader(Array(bytes[..<place])) == .damaged)
        }
        for name in [
            "000000000000001A.spool", "1a.spool", "000000000000001a.spoo", "lock", "0000000000000000.spool",
            "+00000000000001a.spool",
            "ffffffffffffffff.spool",
        ] {
            #expect(SpoolFormat.number(of: name) == nil, "\(name)")
        }
        #expect(SpoolFormat.number(of: "000000000000001a.spool") == 26)
    }
}
