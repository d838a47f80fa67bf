internal import CLinux

/// Standard input, output and error.
public enum StandardStreams {
    /// Makes those that are closed lead to /dev/null. Before anything else is opened.
    public static func open() { clinux_open_standard() }
}
