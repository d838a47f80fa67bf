internal import Glibc
internal import Reactor

/// The machine and the processes, so that a figure can be judged later.
enum MachineInfo {
    static func environment(_ options: Options, commandLine: [String], build: String) -> [(name: String, value: String)]
    {
        let limit = DescriptorLimit.raise()
        var all: [(name: String, value: String)] = [
            ("processor", field("/proc/cpuinfo", "model name") ?? "unknown"),
            ("cores", "\(Processors.count)"),
            ("kernel", first("/proc/sys/kernel/osrelease")),
            ("governor", first("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
            ("memory", field("/proc/meminfo", "MemTotal") ?? "unknown"),
            ("load", first("/proc/loadavg")),
            ("descriptors", "\(limit.soft) soft, \(limit.hard) hard"),
            ("somaxconn", first("/proc/sys/net/core/somaxconn")),
            ("tcp_rmem", first("/proc/sys/net/ipv4/tcp_rmem")),
            ("tcp_wmem", first("/proc/sys/net/ipv4/tcp_wmem")),
            ("ip_local_port_range", first("/proc/sys/net/ipv4/ip_local_port_range")),
            ("time", "\(WallClock.seconds())"),
            ("path", "\(options.server), \(options.trust == nil ? "plain TCP" : "TLS")"),
            ("generator", commandLine.joined(separator: " ")),
            ("build", build),
            ("host", first("/proc/sys/kernel/hostname")),
        ]
        if options.pid > 0 { all.append(("server", ProcessMeter(pid: options.pid).commandLine)) }
        return all.filter { !$0.value.isEmpty }
    }

    private static func first(_ path: String) -> String {
        let line = (WholeFile.text(path) ?? "").split(separator: "\n").first ?? ""
        return line.split(whereSeparator: { $0 == "\t" || $0 == " " }).joined(separator: " ")
    }

    private static func field(_ path: String, _ name: String) -> String? {
        for line in (WholeFile.text(path) ?? "").split(separator: "\n") where line.hasPrefix(name) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            return String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
        }
        return nil
    }
}
