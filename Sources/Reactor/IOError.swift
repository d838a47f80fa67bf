internal import CLinux
internal import Glibc

/// A system call that failed for a reason of the machine (descriptors, memory, a port in use, a name that does not resolve).
public struct IOError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call, or what we wanted from it.
    public let call: String
    /// errno, or a getaddrinfo code when `isResolution`.
    public let code: CInt
    /// The code came from getaddrinfo.
    public let isResolution: Bool

    /// - Parameter code: a positive errno.
    public init(call: String, code: CInt) { (self.call, self.code, isResolution) = (call, code, false) }

    init(call: String, resolution code: CInt) { (self.call, self.code, isResolution) = (call, code, true) }

    public var description: String {
        if isResolution { return "\(call): \(String(cString: clinux_resolve_text(code)))" }
        return "\(call): \(Self.text(code))"
    }

    /// The C library's sentence for a positive errno.
    public static func text(_ code: CInt) -> String {
        guard let text = strerror(code) else { return "errno \(code)" }
        return String(cString: text)
    }

    /// Turns a CLinux answer into a value or a throw.
    static func check(_ result: CInt, _ call: String) throws(IOError) -> CInt {
        guard result < 0 else { return result }
        throw result <= -1_000 ? IOError(call: call, resolution: result) : IOError(call: call, code: -result)
    }
}
