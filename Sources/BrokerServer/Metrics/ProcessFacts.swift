internal import Configuration
internal import Crypto
internal import Glibc
internal import Reactor
internal import Telemetry

/// What the kernel says of this process, read when somebody scrapes.
struct ProcessFacts {
    var memory = ProcessMemory.read()
    var openDescriptors = Self.countDescriptors()
    var descriptorsMax = Self.descriptorLimit()
    var processorNanoseconds = Self.processorTime()
    var droppedLines = Log.droppedLines

    /// Entries of /proc/self/fd, without the one that the count itself opens.
    private static func countDescriptors() -> Int {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) { if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 } }
        return max(0, count - 1)
    }

    private static func descriptorLimit() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    private static func processorTime() -> UInt64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func nanoseconds(_ time: timeval) -> UInt64 {
            UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1_000
        }
        return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
    }
}

/// What this build is made of.
struct BuildFacts: Sendable {
    let build: BuildInformation
    let startUnixSeconds = WallClock.seconds()

    static var openSSL: String { Libraries.openSSLVersion }

    static var swift: String {
        #if compiler(>=6.4)
            "6.4 or newer"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }
}
