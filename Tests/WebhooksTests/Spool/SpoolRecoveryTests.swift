import BrokerCore
import Glibc
import PusherProtocol
import TestSupport
import Testing

@testable import Webhooks

@Suite("What a spool has after a crash")
struct SpoolRecoveryTests {
    @Test("After a kill all that was handed over is there, and nothing else", arguments: 0..<24)
    func kills(seed: Int) throws {
        var owner = RandomOwner(seed: seed)
        var disk = MemoryDisk()
        var (writer, contents) = try disk.open()
        var now: UInt64 = 0
        for step in 0..<400 {
            now += UInt64(owner.random.int(0...50_000_000))
            writer.step(owner.orders(), now: now)
            guard owner.random.oneIn(25) else { continue }
            disk = disk.afterKill()
            (writer, contents) = try disk.open()
            let isSame = SpoolModel(contents) == owner.model
            #expect(isSame, "seed \(seed), step \(step)")
            #expect(contents.nextNumber == owner.next && contents.notes.isEmpty, "seed \(seed), step \(step)")
            #expect(contents.waiting.map(\.event.id) == contents.waiting.map(\.event.id).sorted())
            owner.adopt(contents)
            #expect(disk.files.count < 80, "seed \(seed): what nobody needs goes")
        }
        #expect(writer.facts.eventsDropped == 0 && disk.files.count > 1, "seed \(seed)")
    }

    @Test("With sync: each a power cut takes nothing", arguments: 0..<16)
    func powerCutsEach(seed: Int) throws {
        var owner = RandomOwner(seed: seed)
        var disk = MemoryDisk()
        var (writer, contents) = try disk.open(.tiny(.each))
        for step in 0..<300 {
            writer.step(owner.orders(), now: UInt64(step))
            guard owner.random.oneIn(15) else { continue }
            disk = disk.afterPowerCut(&owner.random)
            (writer, contents) = try disk.open(.tiny(.each))
            let isSame = SpoolModel(contents) == owner.model
            #expect(isSame, "seed \(seed), step \(step)")
            #expect(contents.nextNumber == owner.next, "seed \(seed), step \(step)")
            owner.adopt(contents)
        }
    }

    @Test(
        "With sync: batch a power cut takes what came since the last sync, which is never long ago", arguments: 0..<16)
    func powerCutsBatch(seed: Int) throws {
        var owner = RandomOwner(seed: seed)
        var options = SpoolOptions.tiny()
        options.segmentBytesWanted = 32_768  // few are closed, which is a sync
        var disk = MemoryDisk()
        var (writer, contents) = try disk.open(options)
        var now: UInt64 = 0
        var synced = SpoolModel()
        var appended: Set<SpoolModel.Pair> = []
        for step in 0..<400 {
            now += UInt64(owner.random.int(0...20_000_000))
            let before = owner.model.waiting
            writer.step(owner.orders(), now: now)
            appended.formUnion(owner.model.waiting.subtracting(before))
            if writer.syncDue == nil { (synced, appended) = (owner.model, []) }
            let isSoon = writer.syncDue.map { now < $0 && $0 <= now + 80_000_000 } ?? true
            #expect(isSoon, "seed \(seed), step \(step)")
            guard owner.random.oneIn(30) else { continue }
            disk = disk.afterPowerCut(&owner.random)
            (writer, contents) = try disk.open(options)
            let found = SpoolModel(contents)
            let kept = synced.waiting.intersection(owner.model.waiting)
            let (hasAll, hasNoMore) = (
                kept.isSubset(of: found.waiting), found.waiting.isSubset(of: synced.waiting.union(appended))
            )
            #expect(hasAll && hasNoMore, "seed \(seed), step \(step)")
            for (key, letter) in owner.model.letters where synced.letters[key] == letter {
                #expect(found.letters[key] != nil, "seed \(seed), step \(step)")
            }
            owner.adopt(contents)
            (synced, appended) = (owner.model, [])
        }
    }

    /// A spool of several segments, as a process left it.
    private static func left(seed: Int) throws -> (disk: MemoryDisk, contents: SpoolContents) {
        var owner = RandomOwner(seed: seed)
        let disk = MemoryDisk()
        let writer = try disk.open().0
        for step in 0..<60 { writer.step(owner.orders(), now: UInt64(step)) }
        return (disk.afterKill(), try disk.afterKill().open().1)
    }

    /// What a damaged record was; nil: it was none that anything depends on.
    private func check(_ damaged: MemoryDisk, _ whole: SpoolContents, lost: [SpoolRecord], _ comment: String) throws {
        let found = SpoolModel(try damaged.open().1)
        let model = SpoolModel(whole)
        let lostEvents = Set(lost.compactMap { if case .event(let entry) = $0 { entry.event.id } else { nil } })
        let missing = model.waiting.subtracting(found.waiting)
        let areLost = missing.allSatisfy { lostEvents.contains($0.event) }
        #expect(areLost, "\(comment)")
        let lostLetters = Set(lost.compactMap { if case .buried(let letter) = $0 { letter.event.id } else { nil } })
        for key in model.letters.keys where found.letters[key] == nil {
            let isLost = lostLetters.contains(key.event)
            #expect(isLost, "\(comment)")
        }
        let areSame = found.events.allSatisfy { id, event in model.events[id].map { $0 == event } ?? true }
        #expect(areSame, "\(comment)")
    }

    @Test("A byte that changed anywhere costs no more than what it was in", arguments: 0..<6)
    func flips(seed: Int) throws {
        let (disk, whole) = try Self.left(seed: seed)
        var random = SeededRandom(seed: seed)
        #expect(disk.files.count > 2)
        for _ in 0..<150 {
            let name = random.pick(disk.spoolNames)
            var bytes = disk.bytes[name] ?? []
            let place = random.int(0...bytes.count - 1)
            let number = try #require(SpoolFormat.number(of: name))
            var lost: [SpoolRecord] = []
            for case .record(let record, let at, let count) in readSpool(bytes, segment: number)
            where Int(at) <= place && place < Int(at) + count {
                lost.append(record)
            }
            bytes[place] ^= UInt8(random.int(1...255))
            let damaged = MemoryDisk(disk.bytes.merging([name: bytes]) { $1 })
            try check(damaged, whole, lost: lost, "seed \(seed), \(name), byte \(place)")
            let notes = try damaged.open().1.notes
            #expect(notes.count == 1 && notes[0].hasPrefix("\(name): "), "\(notes)")
        }
    }

    @Test("Cut at any byte of its end, a spool has all that is before the cut")
    func cuts() throws {
        let seed = 1
        let (disk, whole) = try Self.left(seed: seed)
        let name = try #require(disk.spoolNames.last)
        let number = try #require(SpoolFormat.number(of: name))
        let bytes = disk.bytes[name] ?? []
        let records = readSpool(bytes, segment: number)
        for cut in max(0, bytes.count - 4_096)..<bytes.count {
            var lost: [SpoolRecord] = []
            for case .record(let record, let at, let count) in records where Int(at) + count > cut {
                lost.append(record)
            }
            let damaged = MemoryDisk(disk.bytes.merging([name: Array(bytes[..<cut])]) { $1 })
            try check(damaged, whole, lost: lost, "seed \(seed), cut at \(cut) of \(bytes.count)")
        }
    }

    @Test("Files that are missing, of another version, empty or twice there are said, and the others are read")
    func strangeFiles() throws {
        let (disk, whole) = try Self.left(seed: 3)
        let names = disk.spoolNames
        try #require(names.count > 2)
        let first = try #require(SpoolFormat.number(of: names[0]))
        var files = disk.bytes
        files[names[1]] = nil
        let notes = try MemoryDisk(files).open().1.notes
        #expect(notes == ["\(names[2]): segments before it are missing (1); what was in them is lost."])

        let foreign = SpoolFormat.name(of: 0x1000)
        files = disk.bytes
        files[foreign] = SpoolHeader.bytes(of: 0x1000, version: 9) + [1, 2, 3]
        let other = MemoryDisk(files)
        let (writer, contents) = try other.open()
        let hasAll = SpoolModel(contents) == SpoolModel(whole)
        #expect(
            hasAll
                && contents.notes.contains { $0.hasPrefix("\(foreign): it is of version 9") })
        writer.step(SpoolOrders(), now: 1)
        #expect(other.bytes[foreign] == files[foreign], "what another version wrote stays")
        #expect(writer.current?.number == 0x1001)

        files = disk.bytes
        files[SpoolFormat.name(of: 0x2000)] = []
        files[SpoolFormat.name(of: 0x3000)] = files[names[0]]
        let twice = try MemoryDisk(files).open().1
        let isSame = SpoolModel(twice) == SpoolModel(whole)
        #expect(isSame)
        #expect(twice.notes.contains { $0.hasPrefix("0000000000003000.spool: it is segment \(first) by its header") })

        #expect(try MemoryDisk([names[0]: [UInt8](repeating: 0, count: 9)]).open().1.notes.count == 1)
        #expect(try MemoryDisk(["readme": [1], "lock": []]).open().1 == SpoolContents())
    }

    @Test("Sentences about damage are so many, and then a number")
    func notes() {
        var notes = SpoolNotes()
        for _ in 0..<200 { notes.add(SpoolDamage(offset: 4_096, count: 1, kind: .bytes), in: "x.spool") }
        #expect(notes.sentences.count == SpoolNotes.sentencesMax + 1)
        #expect(notes.sentences[0] == "x.spool: 1 byte at 4096 are damaged; what was there is left out.")
        #expect(notes.sentences.last == "150 more faults of the spool are not listed.")
    }

    @Test("More events than a spool may keep: the newest are read, the others are said and counted")
    func tooMuch() throws {
        let records = (1...2_000).map { SpoolRecord.event(Sample.entry($0)) }
        let disk = MemoryDisk([
            SpoolFormat.name(of: 1): Sample.segment(1, Array(records[..<1_000])).bytes,
            SpoolFormat.name(of: 2): Sample.segment(2, Array(records[1_000...])).bytes,
        ])
        let (writer, contents) = try disk.open(.tiny(bytesMax: 131_072))
        let kept = contents.waiting.map(\.event.id.number)
        #expect(kept.last == 2_000 && kept == Array(kept[0]...2_000) && kept.count > 500 && kept.count < 2_000)
        #expect(Int(writer.facts.eventsDropped) == 2_000 - kept.count && contents.notes.count == 1)
    }

    @Test("Read by another program, damaged spools come to the same (Tests/EndToEnd/spool_files.py)")
    func anotherReader() throws {
        var template = Array("/tmp/starling-spool-XXXXXX".utf8CString)
        let root = String(cString: try #require(mkdtemp(&template)))
        defer { _ = system("rm -r '\(root)'") }
        var expected = ""
        for seed in 0..<30 {
            let (disk, directory) = (try Self.damaged(seed: seed), "\(root)/\(seed)")
            mkdir(directory, 0o700)
            for (name, bytes) in disk.bytes {
                let file = try #require(fopen("\(directory)/\(name)", "w"))
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
            expected += "# \(directory)\n" + Self.text(try disk.open().1)
        }
        let program =
            "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/") + "/EndToEnd/spool_files.py"
        let list = (0..<30).map { "\(root)/\($0)" }.joined(separator: " ")
        let pipe = try #require(popen("python3 /\(program) \(list)", "r"))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { output += buffer[..<count] }
        #expect(pclose(pipe) == 0)
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
        let ours = expected.split(separator: "\n")
        #expect(lines.count == ours.count)
        for (line, own) in zip(lines, ours) { #expect(line == own) }
    }

    private static func damaged(seed: Int) throws -> MemoryDisk {
        var random = SeededRandom(seed: seed)
        var files = try left(seed: seed).disk.bytes
        for name in files.keys.sorted() {
            guard var bytes = files[name], !bytes.isEmpty else { continue }
            for _ in 0..<random.int(0...3) { bytes[random.int(0...bytes.count - 1)] ^= UInt8(random.int(1...255)) }
            if random.oneIn(3) { bytes.removeLast(random.int(0...bytes.count)) }
            if random.oneIn(3) {
                bytes.insert(contentsOf: random.bytes(random.int(0...99)), at: random.int(0...bytes.count))
            }
            files[name] = bytes
        }
        // Records that mean anything that records can mean.
        let records = (1...40).map { Sample.randomRecord($0, &random) }
        files[SpoolFormat.name(of: 900)] = Sample.segment(900, records).bytes
        return MemoryDisk(files)
    }

    private static func text(_ contents: SpoolContents) -> String {
        var lines: [String] = []
        for entry in contents.waiting {
            let endpoints = entry.endpoints.sorted().map { String($0.value, radix: 16) }
            lines.append("event \(endpoints.joined(separator: ",")) \(text(entry.event))")
        }
        for letter in contents.deadLetters {
            let reason = hex(Array(letter.reason.utf8))
            lines.append(
                "letter \(String(letter.endpoint.value, radix: 16)) \(letter.unixMilliseconds) \(reason) \(text(letter.event))"
            )
        }
        return (lines + ["next \(contents.nextNumber)"]).map { "\($0)\n" }.joined()
    }

    private static func text(_ event: WebhookEvent) -> String {
        "\(event.id) \(event.unixMilliseconds) \(event.kind.rawValue) "
            + "\(hex(Array(event.app.utf8)))|\(hex(event.channel))|\(hex(event.json))"
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
