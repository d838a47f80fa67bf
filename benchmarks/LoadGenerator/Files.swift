internal import Glibc

/// Writing files and standard streams.
enum Files {
    /// Replaces a file.
    /// - Returns: the reason when it could not be written.
    static func write(_ text: String, to path: String) -> String? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        return put(text, descriptor) ? nil : String(cString: strerror(errno))
    }

    static func print(_ text: String) { _ = put(text, STDOUT_FILENO) }
    static func complain(_ text: String) { _ = put("starling bench: \(text)\n", STDERR_FILENO) }
    static func progress(_ text: String) { _ = put(text, STDERR_FILENO) }

    /// Whether a person watches standard error.
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    private static func put(_ text: String, _ descriptor: CInt) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
