internal import Glibc
internal import Reactor
internal import Wire

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
        return ["docker", "kubepods", "containerd", "libpod", "lxc"].contains { groups.holds($0) }
    }

    private static func beginning(of path: String) -> String? { WholeFile.text(path, bytesMax: 4_096) }
}
