internal import Glibc
internal import Reactor

/// A file of the spool, as its writer knows it.
struct SpoolSegment: Equatable {
    /// By its header, or by its name where that is damaged.
    var number: UInt64
    var name: String
    var bytes: UInt64 = 0
    /// Of its checkpoints and what is before them.
    var headBytes: UInt64 = 0
    /// The lowest number of an event in it, finished or not.
    var firstNumber: UInt64 = .max

    mutating func noteEvent(_ number: UInt64) { firstNumber = min(firstNumber, number) }
}

/// What the files of a directory come to: read newest first, in pieces.
struct SpoolLoad {
    /// More files than this are none of our making; the newest are read.
    static let filesMax = 65_536
    static let pieceBytes = 1_048_576

    private(set) var harvest: SpoolHarvest
    /// Oldest first: those that were read, and go when nothing in them is of use.
    private(set) var segments: [SpoolSegment] = []
    /// Higher than any that is there.
    private(set) var nextSegment: UInt64 = 1
    private(set) var notes = SpoolNotes()

    init(_ disk: any SpoolDisk, bytesMax: Int) throws(IOError) {
        harvest = SpoolHarvest(bytesMax: bytesMax)
        var files = find(try disk.names(), disk)
        for place in files.indices.reversed() { read(&files[place], disk) }
        segments = files.map(\.segment)
        if harvest.eventsDropped > 0 {
            notes.add(
                "The spool has more events than it may keep (webhooks.spoolBytes): the oldest \(harvest.eventsDropped) are dropped."
            )
        }
    }

    mutating func takeWaiting() -> [SpoolHarvest.Waiting] { harvest.takeWaiting() }

    mutating func takeLetters() -> [SpoolHarvest.Letter] { harvest.takeLetters() }

    private struct Found {
        var segment: SpoolSegment
        var isHeaderDamaged: Bool
    }

    /// The segments by their numbers; those of other versions, and what cannot be opened, stay where they are.
    private mutating func find(_ names: [String], _ disk: any SpoolDisk) -> [Found] {
        var numbers = names.compactMap { SpoolFormat.number(of: $0) }.sorted()
        if let last = numbers.last { nextSegment = last + 1 }
        if numbers.count > Self.filesMax {
            notes.add("The spool has \(numbers.count) files: the oldest of them are not read.")
            numbers.removeFirst(numbers.count - Self.filesMax)
        }
        var found: [Found] = []
        for number in numbers {
            let name = SpoolFormat.name(of: number)
            do throws(IOError) {
                let file = try disk.open(name)
                defer { disk.close(file) }
                let header = try disk.read(file, at: 0, bytesMax: SpoolFormat.headerBytes)
                found += judge(header, name: name, number: number)
            } catch {
                notes.add("\(name): it cannot be read (\(error)); it is left as it is.")
            }
        }
        noteGaps(numbers)
        return found.sorted { ($0.segment.number, $0.segment.name) < ($1.segment.number, $1.segment.name) }
    }

    private mutating func judge(_ header: [UInt8], name: String, number: UInt64) -> [Found] {
        switch SpoolHeader(header) {
        case .segment(let own):
            if own != number { notes.add("\(name): it is segment \(own) by its header, and is read as that.") }
            nextSegment = max(nextSegment, own + 1)
            return [Found(segment: SpoolSegment(number: own, name: name), isHeaderDamaged: false)]
        case .version(let version):
            notes.add(
                "\(name): it is of version \(version), and this is version \(SpoolFormat.version); it is left as it is."
            )
            return []
        case .damaged:
            if header.isEmpty { notes.add("\(name): it is empty; what was in it, if anything, is lost.") }
            return [Found(segment: SpoolSegment(number: number, name: name), isHeaderDamaged: true)]
        }
    }

    private mutating func noteGaps(_ numbers: [UInt64]) {
        for (one, next) in zip(numbers, numbers.dropFirst()) where next > one + 1 {
            let name = SpoolFormat.name(of: next)
            notes.add("\(name): segments before it are missing (\(next - one - 1)); what was in them is lost.")
        }
    }

    private mutating func read(_ found: inout Found, _ disk: any SpoolDisk) {
        let segment = found.segment
        harvest.begin(segment.number)
        defer { harvest.endSegment() }
        var offset: UInt64 = found.isHeaderDamaged ? 0 : UInt64(SpoolFormat.headerBytes)
        var reader = SpoolReader(segment: segment.number, at: offset)
        do throws(IOError) {
            let file = try disk.open(segment.name)
            defer { disk.close(file) }
            while true {
                let bytes = try disk.read(file, at: offset, bytesMax: Self.pieceBytes)
                offset += UInt64(bytes.count)
                bytes.withUnsafeBytes { take($0, isEnd: bytes.isEmpty, of: &found.segment, &reader) }
                if bytes.isEmpty { break }
            }
        } catch {
            notes.add("\(segment.name): it cannot be read from \(offset) on (\(error)); what is there is left out.")
            take(UnsafeRawBufferPointer(start: nil, count: 0), isEnd: true, of: &found.segment, &reader)
        }
        found.segment.bytes = offset
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, isEnd: Bool, of segment: inout SpoolSegment, _ reader: inout SpoolReader
    ) {
        reader.take(bytes, isEnd: isEnd) { item in
            switch item {
            case .record(let record, _, let bytes):
                if case .event(let entry) = record { segment.noteEvent(entry.event.id.number) }
                if case .checkpoint = record { segment.headBytes += UInt64(bytes) }
                harvest.take(record, bytes: bytes)
            case .damage(let damage): notes.add(damage, in: segment.name)
            }
        }
    }
}
