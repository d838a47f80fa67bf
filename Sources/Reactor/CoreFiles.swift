internal import CLinux

/// RLIMIT_CORE.
public enum CoreFiles {
    /// A crash from now on leaves no memory of ours in a file or, since they look at the same limit, with systemd-coredump and apport. At start.
    public static func forbid() { _ = clinux_forbid_core_files() }
}
