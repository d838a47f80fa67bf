/// The control group that bounds this process's memory: of its own and those above the one with the smallest limit.
/// (Linux: admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst)
struct MemoryGroup: Equatable {
    /// Whether it is of the old hierarchy, with other names of files.
    let isOld: Bool
    let folder: String
    let limitBytes: Int

    /// What the group holds now that the kernel cannot drop.
    struct Use: Equatable {
        var bytes: Int
        /// Of sockets' buffers among it; the old hierarchy counts them elsewhere.
        var socketBytes: Int
    }

    /// The text of a file; nil: it is not there.
    typealias Files = (_ path: String) -> String?

    /// - Returns: nil when there is no group, or none with a limit.
    init?(_ files: Files) {
        guard let own = Self.own(files("/proc/self/cgroup") ?? "") else { return nil }
        let name = own.isOld ? "memory.limit_in_bytes" : "memory.max"
        // In a container its own group may be mounted as the root of all, while its path is still the machine's.
        var (path, best) = (own.path, (folder: "", bytes: Self.unlimitedBytes))
        while true {
            if let bytes = files("\(own.root)\(path)/\(name)").flatMap(Self.number), bytes < best.bytes, bytes > 0 {
                best = (own.root + path, bytes)
            }
            guard !path.isEmpty else { break }
            path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }
        guard best.bytes < Self.unlimitedBytes else { return nil }
        (isOld, folder, limitBytes) = (own.isOld, best.folder, best.bytes)
    }

    /// From here on it is the old hierarchy's word for no limit.
    private static let unlimitedBytes = 1 << 60

    /// Where the process is, by `/proc/self/cgroup` (cgroups(7)): `4:memory:/path` in the old hierarchy, else `0::/path`.
    private static func own(_ text: String) -> (isOld: Bool, root: String, path: String)? {
        let lines = text.split(separator: "\n").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }
        func path(_ line: [Substring]) -> String {
            let path = String(line[2])
            // Out of sight of a namespace, or its root.
            return path.hasPrefix("/..") || path == "/" ? "" : path
        }
        for line in lines where line.count == 3 && line[1].split(separator: ",").contains("memory") {
            return (true, "/sys/fs/cgroup/memory", path(line))
        }
        for line in lines where line.count == 3 && line[0] == "0" { return (false, "/sys/fs/cgroup", path(line)) }
        return nil
    }

    func use(_ files: Files) -> Use? {
        guard let all = files("\(folder)/\(isOld ? "memory.usage_in_bytes" : "memory.current")").flatMap(Self.number),
            let stat = files("\(folder)/memory.stat")
        else { return nil }
        var (droppable, sockets) = (0, 0)
        for line in stat.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let value = Int(words[1]) else { continue }
            switch (words[0], isOld) {
            case ("total_inactive_file", true), ("total_active_file", true), ("inactive_file", false),
                ("active_file", false), ("slab_reclaimable", false):
                droppable += value
            case ("sock", false): sockets = value
            default: break
            }
        }
        return Use(bytes: max(0, all - droppable), socketBytes: sockets)
    }

    /// `max` is none.
    private static func number(_ text: String) -> Int? { Int(text.prefix { $0.isNumber }) }
}
