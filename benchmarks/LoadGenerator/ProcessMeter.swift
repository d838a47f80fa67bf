internal import Glibc
internal import Reactor

/// Processor time and memory of a process, from /proc.
struct ProcessMeter: Sendable {
    let pid: Int

    /// User and system time, in seconds, by the process's own clock (/proc/PID/stat has steps of 10 ms); nil when it is gone.
    var processorSeconds: Double? {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid_t(pid), &clock) == 0, clock_gettime(clock, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Seconds that each of its threads ran, by the thread's number.
    var threadSeconds: [Int: Double] {
        guard let directory = opendir("/proc/\(pid)/task") else { return [:] }
        defer { closedir(directory) }
        var all: [Int: Double] = [:]
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let thread = Int(name), let text = WholeFile.text("/proc/\(pid)/task/\(name)/schedstat"),
                let ran = text.split(separator: " ").first.flatMap({ Double($0) })
            else { continue }
            all[thread] = ran / 1e9
        }
        return all
    }

    /// A line of smaps_rollup in bytes (`Rss`, `Anonymous`, `Private_Dirty`).
    func memoryBytes(_ name: String) -> Int? {
        guard let text = WholeFile.text("/proc/\(pid)/smaps_rollup") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        return nil
    }

    var commandLine: String {
        (WholeFile.text("/proc/\(pid)/cmdline") ?? "").split(separator: "\0").joined(separator: " ")
    }

    /// The whole generator's time.
    static var own: Double {
        var usage = rusage()
        getrusage(CInt(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}
