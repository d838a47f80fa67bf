internal import Glibc
internal import Reactor

/// How much memory this process uses of what the machine, or its control group, has.
struct ProcessMemory {
    /// Resident.
    var usedBytes: Int
    var totalBytes: Int

    var freeBytes: Int { max(0, totalBytes - usedBytes) }

    /// Two decimals; written by hand because the standard library formats no fractions.
    var percentText: String {
        guard totalBytes > 0 else { return "0" }
        let hundredths = usedBytes * 10_000 / totalBytes
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// Reads /proc and /sys, which answer from memory.
    static func read() -> ProcessMemory { read(file) }

    static func read(_ files: MemoryGroup.Files) -> ProcessMemory {
        let machine = machineBytes
        return ProcessMemory(
            usedBytes: residentBytes(files) ?? 0, totalBytes: min(machine, MemoryGroup(files)?.limitBytes ?? machine))
    }

    /// nil: it cannot be read, for want of descriptors most likely.
    static func residentBytes(_ files: MemoryGroup.Files) -> Int? {
        guard let words = files("/proc/self/statm")?.split(separator: " "), words.count > 1 else { return nil }
        return Int(words[1]).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    }

    static var machineBytes: Int { Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))) }

    static func file(_ path: String) -> String? { WholeFile.text(path, bytesMax: 8_192) }
}
