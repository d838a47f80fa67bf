internal import CLinux

/// RLIMIT_NOFILE.
public enum DescriptorLimit {
    /// Raises the soft limit to the hard one. At start, before loops exist.
    /// - Returns: the soft limit now in force, and the hard one.
    public static func raise() -> (soft: UInt64, hard: UInt64) {
        var soft: UInt64 = 0
        var hard: UInt64 = 0
        _ = clinux_raise_descriptor_limit(&soft, &hard)
        return (soft, hard)
    }
}
