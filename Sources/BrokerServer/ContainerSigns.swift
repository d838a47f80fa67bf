internal import Glibc

/// Whether this process runs in a container: its loopback is then nobody's, and its ports are published on purpose.
struct ContainerSigns: Sendable {
    let variable: @Sendable (String) -> String?
    let exists: @Sendable (String) -> Bool
    /// The beginning of a file; nil when it cannot be read.
    let read: @Sendable (String) -> String?

    static let here = ContainerSigns(
        variable: { getenv($0).map { String(cString: $0) } }, exists: { access($0, F_OK) == 0 },
        read: { beginning(of: $0) })

    var isContainer: Bool {
        // Kubernetes tells every pod; systemd-nspawn, LXC and Podman set `container` for the first process.
        if [variable("KUBERNETES_SERVICE_HOST"), variable("container")].contains(where: { $0?.isEmpty == false }) {
            return true
        }
        // Docker; Podman.
        if exists("/.dockerenv") || exists("/run/.containerenv") { return true }
        let groups = read("/proc/self/cgroup") ?? ""
        return ["docker", "kubepods", "containerd", "libpod", "lxc"].contains { groups.contains($0) }
    }

    private static func beginning(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}
