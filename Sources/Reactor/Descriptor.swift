internal import CLinux

/// The only owner of an open descriptor: closed exactly once, and using it after `release` does not compile.
public struct Descriptor: ~Copyable, Sendable {
    /// The number; owned by this value, never to be closed by hand.
    public let raw: CInt

    /// - Parameter raw: an open descriptor that nobody else closes.
    public init(owning raw: CInt) {
        precondition(raw >= 0, "a descriptor is not negative")
        self.raw = raw
    }

    /// Gives up the ownership: the caller closes the number.
    public consuming func release() -> CInt {
        let raw = self.raw
        discard self
        return raw
    }

    deinit { clinux_close(raw) }
}
