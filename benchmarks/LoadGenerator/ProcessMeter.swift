internal import Glibc

/// Processor time and memory of a process, from /proc.
struct ProcessMeter: Sendable {
    let pid: Int

    /// User and system time, in seconds (10 ms steps); nil when the process is gone.
    var processorSeconds: Double? {
        guard let text = Files.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        // The name in brackets may hold spaces; what follows it begins with field 3.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(CInt(_SC_CLK_TCK)))
    }

    /// A line of smaps_rollup in bytes (`Rss`, `Anonymous`, `Private_Dirty`).
    func memoryBytes(_ name: String) -> Int? {
        guard let text = Files.read("/proc/\(pid)/smaps_rollup") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        return nil
    }

    var commandLine: String {
        (Files.read("/proc/\(pid)/cmdline") ?? "").split(separator: "\0").joined(separator: " ")
    }

    /// The whole generator's time.
    static var own: Double {
        var usage = rusage()
        getrusage(CInt(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}
