import Glibc
import Reactor
import TestSupport

@testable import Webhooks

/// A directory in memory that knows what was forced to the disk, and fails when it is told to.
final class MemoryDisk: SpoolDisk {
    struct File: Equatable {
        var bytes: [UInt8] = []
        /// So many of them are on the disk.
        var synced: [UInt8] = []
        /// Its name is.
        var isNamed = false
    }

    enum Call { case create, write, sync, syncDirectory, remove, read }

    var files: [String: File] = [:]
    /// Removed, but the disk may still have them.
    var ghosts: [String: File] = [:]
    /// The errno that a call is to fail with.
    var fault: (Call) -> CInt? = { _ in nil }
    /// What all files may have.
    var room = Int.max
    /// What one file may have.
    var fileMax = Int.max
    /// A write takes no more than this.
    var writeMax = Int.max
    private(set) var calls: [Call: Int] = [:]
    private(set) var opened: [CInt: String] = [:]
    private var nextFile: CInt = 100

    init(_ files: [String: [UInt8]] = [:]) {
        for (name, bytes) in files { self.files[name] = File(bytes: bytes, synced: bytes, isNamed: true) }
    }

    var bytes: [String: [UInt8]] { files.mapValues(\.bytes) }
    var spoolNames: [String] { files.keys.sorted() }

    func names() throws(IOError) -> [String] { [".", "..", "lock"] + files.keys }

    func open(_ name: String) throws(IOError) -> CInt {
        guard files[name] != nil else { throw IOError(call: name, code: ENOENT) }
        return handle(name)
    }

    func create(_ name: String) throws(IOError) -> CInt {
        try count(.create)
        guard files[name] == nil else { throw IOError(call: "open", code: EEXIST) }
        files[name] = File()
        return handle(name)
    }

    func read(_ file: CInt, at offset: UInt64, bytesMax: Int) throws(IOError) -> [UInt8] {
        try count(.read)
        return Array((opened[file].flatMap { files[$0] }?.bytes ?? []).dropFirst(Int(offset)).prefix(bytesMax))
    }

    func write(_ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(IOError) -> Int {
        try count(.write)
        guard let name = opened[file], var content = files[name]?.bytes else {
            throw IOError(call: "write", code: EBADF)
        }
        guard Int(offset) < fileMax else { throw IOError(call: "write", code: EFBIG) }
        let used = files.values.reduce(0) { $0 + $1.bytes.count }
        let taken = min(bytes.count, writeMax, fileMax - Int(offset), max(0, room - used))
        guard taken > 0 else { throw IOError(call: "write", code: ENOSPC) }
        let start = Int(offset)
        if content.count < start + taken { content += [UInt8](repeating: 0, count: start + taken - content.count) }
        content.replaceSubrange(start..<start + taken, with: bytes.prefix(taken))
        files[name]?.bytes = content
        return taken
    }

    func truncate(_ file: CInt, to bytes: UInt64) {
        guard let name = opened[file], let content = files[name]?.bytes else { return }
        files[name]?.bytes = Array(content.prefix(Int(bytes)))
    }

    func sync(_ file: CInt) throws(IOError) {
        try count(.sync)
        guard let name = opened[file], let content = files[name]?.bytes else {
            throw IOError(call: "fdatasync", code: EBADF)
        }
        files[name]?.synced = content
    }

    func close(_ file: CInt) { opened[file] = nil }

    func remove(_ name: String) throws(IOError) {
        try count(.remove)
        if let file = files.removeValue(forKey: name), file.isNamed { ghosts[name] = file }
    }

    func syncDirectory() throws(IOError) {
        try count(.syncDirectory)
        for name in files.keys { files[name]?.isNamed = true }
        ghosts = [:]
    }

    private func count(_ call: Call) throws(IOError) {
        calls[call, default: 0] += 1
        if let code = fault(call) { throw IOError(call: "\(call)", code: code) }
    }

    private func handle(_ name: String) -> CInt {
        nextFile += 1
        opened[nextFile] = name
        return nextFile
    }

    /// What a disk may have after the power went: what was forced to it, and of the rest anything, or zeros.
    func afterPowerCut(_ random: inout SeededRandom) -> MemoryDisk {
        let disk = MemoryDisk()
        for (name, file) in ghosts where random.oneIn(2) { disk.files[name] = Self.settled(file.synced) }
        for (name, file) in files where file.isNamed || random.oneIn(2) {
            var bytes = file.synced
            if random.oneIn(2), file.bytes.count > bytes.count {
                bytes = Array(file.bytes.prefix(random.int(bytes.count...file.bytes.count)))
                if random.oneIn(2) { bytes += [UInt8](repeating: 0, count: file.bytes.count - bytes.count) }
            }
            disk.files[name] = Self.settled(bytes)
        }
        return disk
    }

    private static func settled(_ bytes: [UInt8]) -> File { File(bytes: bytes, synced: bytes, isNamed: true) }
}
