import BrokerCore
import Glibc
import Telemetry
import TestSupport
import Testing

@testable import Webhooks

@Suite("What the spool's writer does when the disk does not")
struct SpoolWriterTests {
    private static func orders(_ operations: [SpoolOperation], finished: [UInt64: UInt64] = [:]) -> SpoolOrders {
        var orders = SpoolOrders()
        orders.operations = operations
        for (endpoint, number) in finished { orders.cursors[WebhookEndpointID(endpoint)] = number }
        return orders
    }

    private static func events(_ numbers: ClosedRange<UInt64>, _ endpoints: [UInt64] = [1]) -> SpoolOrders {
        orders(numbers.map { .append(Sample.entry($0, endpoints)) })
    }

    private static func waiting(_ disk: MemoryDisk) throws -> [UInt64] {
        try disk.afterKill().open().1.waiting.map(\.event.id.number)
    }

    private static let second: UInt64 = 1_000_000_000

    @Test("Whatever fails meanwhile, when the disk is well again it has all", arguments: 0..<30)
    func faults(seed: Int) throws {
        var owner = RandomOwner(seed: seed)
        var chance = SeededRandom(seed: seed + 1_000)
        let disk = MemoryDisk()
        let options = SpoolOptions.tiny(seed % 2 == 0 ? .batch : .each)
        let writer = try disk.open(options).0
        let codes: [CInt] = [ENOSPC, EIO, EROFS, EDQUOT, EFBIG]
        disk.fault = { [unowned disk] call in
            guard call != .read, chance.oneIn(5) else { return nil }
            if call == .sync { for name in disk.files.keys { disk.forgetUnsynced(name) } }
            return chance.pick(codes)
        }
        var now: UInt64 = 1
        for _ in 0..<300 {
            now += UInt64(owner.random.int(0...600_000_000))
            disk.writeMax = owner.random.int(1...2_000)
            writer.step(owner.orders(), now: now)
        }
        #expect(writer.facts.writeErrors > 0 && writer.facts.syncErrors > 0 && !writer.facts.lastError.isEmpty)
        (disk.fault, disk.writeMax) = ({ _ in nil }, .max)
        writer.step(SpoolOrders(), now: now + 2 * Self.second)
        #expect(!writer.facts.isFailing && writer.facts.notDurable == 0, "seed \(seed)")
        let cut = disk.afterPowerCut(&owner.random)
        if options.sync == .batch { writer.close(now: now + 3 * Self.second) }
        for found in options.sync == .batch ? [disk.afterKill()] : [disk.afterKill(), cut] {
            let isSame = SpoolModel(try found.open(options).1) == owner.model
            #expect(isSame, "seed \(seed)")
        }
        #expect(writer.facts.eventsDropped == 0 && disk.opened.count <= 1, "seed \(seed): no descriptor is lost")
    }

    @Test("While the disk is full all goes on; what has ended when there is room again is not written")
    func full() throws {
        let disk = MemoryDisk()
        let writer = try disk.open().0
        writer.step(Self.events(1...3), now: 1)
        disk.room = disk.bytes.values.reduce(0) { $0 + $1.count } + 50
        writer.step(Self.events(4...9), now: 2)
        #expect(writer.facts.isFailing && writer.facts.notDurable == 6 && writer.facts.writeErrors == 1)
        #expect(writer.facts.lastError.contains("No space left"))
        let found = try disk.afterKill().open().1
        #expect(found.waiting.count == 3 && found.notes.isEmpty, "a part of a record is not left behind")
        let attempts = disk.calls[.write]
        writer.step(Self.orders([], finished: [1: 7]), now: 3)
        #expect(disk.calls[.write] == attempts && writer.facts.notDurable == 2, "it is tried each second")
        #expect(writer.nextDue == 2 + Self.second)
        disk.room = .max
        writer.step(SpoolOrders(), now: 2 + Self.second)
        #expect(!writer.facts.isFailing && writer.facts.notDurable == 0 && writer.facts.eventsWritten == 5)
        #expect(try Self.waiting(disk) == [8, 9])
    }

    @Test("A disk that does not take anything from the start is tried each second")
    func neverWell() throws {
        let disk = MemoryDisk()
        let writer = try disk.open().0
        disk.fault = { _ in EROFS }
        for second in 0..<5 {
            writer.step(Self.events(UInt64(second + 1)...UInt64(second + 1)), now: UInt64(second) * Self.second + 1)
        }
        #expect(writer.facts.isFailing && writer.facts.writeErrors == 5 && writer.facts.notDurable == 5)
        #expect(disk.files.isEmpty)
        disk.fault = { _ in nil }
        writer.step(SpoolOrders(), now: 9 * Self.second)
        #expect(try Self.waiting(disk) == [1, 2, 3, 4, 5])
    }

    @Test("Files that may not grow are followed by others")
    func smallFiles() throws {
        let disk = MemoryDisk()
        disk.fileMax = 600
        let writer = try disk.open().0
        for number in UInt64(1)...20 { writer.step(Self.events(number...number), now: number) }
        #expect(!writer.facts.isFailing && writer.facts.notDurable == 0 && disk.files.count > 3)
        #expect(try Self.waiting(disk) == Array(1...20))
    }

    @Test("After a sync that failed the segment is given up, and what is not finished is written anew, once")
    func lostSync() throws {
        let disk = MemoryDisk()
        let writer = try disk.open(.tiny(.each)).0
        writer.step(Self.events(1...2), now: 1)
        var failures = 1
        disk.fault = { [unowned disk] call in
            guard call == .sync, failures > 0 else { return nil }
            failures -= 1
            for name in disk.files.keys { disk.forgetUnsynced(name) }
            return EIO
        }
        writer.step(Self.events(3...5), now: 2)
        #expect(writer.facts.syncErrors == 1 && !writer.facts.isFailing, "the next segment took it at once")
        #expect(writer.current?.number == 2)
        var random = SeededRandom(seed: 1)
        let found = try disk.afterPowerCut(&random).open().1
        #expect(found.waiting.map(\.event.id.number) == [1, 2, 3, 4, 5])
        #expect(writer.facts.eventsWritten == 8, "what was on the disk before is not written again")
    }

    @Test("A sync follows a write within a tenth of a second, and one stands for many writes")
    func syncs() throws {
        let disk = MemoryDisk()
        let writer = try disk.open().0
        writer.step(SpoolOrders(), now: 1)
        let before = disk.calls[.sync] ?? 0
        for step in 0..<30 {
            let number = UInt64(step + 1)
            writer.step(Self.events(number...number), now: 1_000_000 * number)
        }
        #expect(disk.calls[.sync] == before && writer.nextDue == 81_000_000)
        writer.step(SpoolOrders(), now: 81_000_000)
        #expect(disk.calls[.sync] == before + 1 && writer.nextDue == nil && writer.facts.syncs.count > 0)

        let each = MemoryDisk()
        let other = try each.open(.tiny(.each)).0
        other.step(Self.events(1...20), now: 1)
        #expect(each.calls[.sync] == 2 && each.calls[.write] == 2, "one for the new segment, one for twenty events")
    }

    @Test("A spool that is full drops its oldest segment, counts what was in it and keeps the dead letters")
    func bounded() throws {
        let disk = MemoryDisk()
        let options = SpoolOptions.tiny(bytesMax: 65_536)
        let writer = try disk.open(options).0
        writer.step(Self.orders([.append(Sample.entry(1, [9])), .bury(Sample.letter(1, 9))]), now: 1)
        for number in UInt64(2)...2_000 {
            writer.step(Self.events(number...number), now: number)
            #expect(disk.bytes.values.reduce(0) { $0 + $1.count } <= options.bytesMax)
        }
        let contents = try disk.afterKill().open(options).1
        #expect(contents.deadLetters == [Sample.letter(1, 9)])
        let kept = contents.waiting.map(\.event.id.number)
        #expect(kept == Array(kept[0]...2_000) && kept.count > 300, "the newest are kept")
        #expect(Int(writer.facts.eventsDropped) == 1_999 - kept.count && writer.facts.notDurable == 1_999 - kept.count)
        #expect(
            writer.facts.bytes == disk.bytes.values.reduce(0) { $0 + $1.count }
                && writer.facts.segments == disk.files.count)
    }

    @Test("What one slow endpoint waits for does not hold what others have finished")
    func rewriting() throws {
        let disk = MemoryDisk()
        let writer = try disk.open().0
        writer.step(Self.orders([.append(Sample.entry(1, [1, 2]))], finished: [1: 1]), now: 1)
        writer.step(Self.orders([.bury(Sample.letter(1, 3))]), now: 1)
        for number in UInt64(2)...3_000 {
            writer.step(Self.events(number...number), now: number)
            writer.step(Self.orders([], finished: [1: number]), now: number)
        }
        #expect(disk.files.count <= 4, "but the letter and the event of endpoint 2")
        let contents = try disk.afterKill().open().1
        #expect(contents.waiting == [Sample.entry(1, [2])] && contents.deadLetters == [Sample.letter(1, 3)])
        #expect(contents.nextNumber == 3_001)
    }

    @Test("Cursors that fill a segment leave room for one entry")
    func manyCursors() throws {
        let disk = MemoryDisk()
        let writer = try disk.open().0
        let endpoints = (UInt64(1)...300).map { $0 }
        writer.step(Self.orders([.append(Sample.entry(1, endpoints + [999]))]), now: 1)
        writer.step(Self.orders((2...50).map { .append(Sample.entry($0, endpoints)) }), now: 2)
        writer.step(Self.orders([], finished: Dictionary(uniqueKeysWithValues: endpoints.map { ($0, 40) })), now: 3)
        for number in UInt64(51)...60 { writer.step(Self.events(number...number), now: number) }
        let contents = try disk.afterKill().open().1
        #expect(contents.waiting.map(\.event.id.number) == [1] + Array(41...60))
    }

    @Test("Many starts leave few files, and no number is used twice")
    func starts() throws {
        var disk = MemoryDisk()
        for start in UInt64(1)...150 {
            let (writer, contents) = try disk.open()
            #expect(contents.nextNumber == start && contents.notes.isEmpty)
            let letters = (start % 3 == 0) ? [SpoolOperation.bury(Sample.letter(start))] : []
            writer.step(Self.orders([.append(Sample.entry(start))] + letters, finished: [1: start]), now: start)
            disk = disk.afterKill()
        }
        #expect(disk.files.count <= SpoolWriter.segmentsMax + 2)
        #expect(try disk.open().1.deadLetters.count == 50)
    }

    @Test("Dead letters have a bound: the one that came first is forgotten, and counted")
    func letters() throws {
        let disk = MemoryDisk()
        let options = SpoolOptions.tiny(bytesMax: 65_536)
        let writer = try disk.open(options).0
        for number in UInt64(1)...200 {
            writer.step(Self.orders([.append(Sample.entry(number)), .bury(Sample.letter(number))]), now: number)
        }
        let kept = try disk.afterKill().open(options).1.deadLetters.map(\.event.id.number)
        #expect(kept == Array(kept[0]...200) && kept.count > 20 && kept.count < 80)
        #expect(Int(writer.facts.lettersDropped) == 200 - kept.count && writer.facts.deadLetters == kept.count)
        #expect(writer.facts.notDurable == 0 && writer.facts.eventsDropped == 0)

        var many = SpoolOptions()
        many.segmentBytesWanted = 65_536
        let large = try MemoryDisk().open(many).0
        for first in stride(from: UInt64(1), through: 10_002, by: 834) {
            large.step(Self.orders((first..<min(first + 834, 10_003)).map { .bury(Sample.letter($0)) }), now: first)
        }
        #expect(large.facts.deadLetters == SpoolOptions.lettersMax && large.facts.lettersDropped == 2)
    }

    @Test("What is too much for memory, or for a record, is counted and not written")
    func refused() throws {
        let disk = MemoryDisk()
        var options = SpoolOptions.tiny()
        options.memoryBytesMax = 1_000
        let writer = try disk.open(options).0
        writer.step(Self.events(1...20), now: 1)
        let kept = try Self.waiting(disk)
        #expect(kept.count > 2 && kept.count < 7 && writer.facts.eventsDropped == 20 - UInt64(kept.count))
        writer.step(Self.orders([], finished: [1: 20]), now: 2)
        writer.step(Self.events(21...22), now: 3)
        #expect(try Self.waiting(disk) == [21, 22])
        writer.step(Self.orders([.append(Sample.entry(23, []))]), now: 4)
        #expect(writer.facts.eventsDropped == 21 - UInt64(kept.count))

        let inbox = SpoolInbox(bytesMax: 1_000)
        inbox.put((1...20).map { .append(Sample.entry($0)) })
        inbox.put([
            .bury(Sample.letter(1)), .forget(SpoolLetterKey(endpoint: WebhookEndpointID(1), event: Sample.event(1).id)),
        ])
        inbox.finish(WebhookEndpointID(1), through: 5)
        inbox.finish(WebhookEndpointID(1), through: 4)
        let orders = inbox.take(until: nil)
        #expect(orders.highest == 20 && orders.eventsRefused > 10 && orders.lettersRefused == 1)
        #expect(orders.operations.count == 21 - orders.eventsRefused && orders.cursors == [WebhookEndpointID(1): 5])
        #expect(inbox.take(until: 0).isEmpty, "and then it is empty")
    }

    @Test("While the disk takes nothing, what has ended does not pile up")
    func noPile() throws {
        let disk = MemoryDisk()
        let writer = try disk.open().0
        disk.fault = { _ in EIO }
        for number in UInt64(1)...6_000 {
            writer.step(
                Self.orders(
                    [
                        .append(Sample.entry(number)), .bury(Sample.letter(1, 5)),
                        .forget(SpoolLetterKey(endpoint: WebhookEndpointID(5), event: Sample.event(1).id)),
                    ],
                    finished: [1: number]), now: 5)
        }
        #expect(writer.unwritten.count < 5_000 && writer.facts.notDurable == 0)
    }
}

extension MemoryDisk {
    /// What a kernel may do with pages that it could not write.
    func forgetUnsynced(_ name: String) {
        guard let file = files[name], file.bytes.count > file.synced.count else { return }
        files[name]?.bytes = file.synced + [UInt8](repeating: 0, count: file.bytes.count - file.synced.count)
    }
}
