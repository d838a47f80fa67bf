internal import Glibc

/// How much memory this process uses of what the machine, or its control group, has.
struct ProcessMemory {
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

    /// Reads /proc, which answers from memory.
    static func read() -> ProcessMemory {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let statm = text(of: "/proc/self/statm").split(separator: " ")
        let used = statm.count > 1 ? (Int(statm[1]) ?? 0) * page : 0
        var total = Int(sysconf(Int32(_SC_PHYS_PAGES))) * page
        if let limit = Int(text(of: "/sys/fs/cgroup/memory.max").prefix { $0.isNumber }), limit > 0 {
            total = min(total, limit)
        }
        return ProcessMemory(usedBytes: used, totalBytes: total)
    }

    private static func text(of path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
}
