internal import COpenSSL

/// Unpredictable bytes from libcrypto's generator, which seeds itself from the kernel. Any thread.
public enum Randomness {
    /// A number from the whole range.
    public static func uint64() -> UInt64 {
        var number: UInt64 = 0
        withUnsafeMutableBytes(of: &number) { fill($0) }
        return number
    }

    /// A number from the whole range; half of a `socket_id`, for instance (Pusher protocol §2.2).
    public static func uint32() -> UInt32 {
        var number: UInt32 = 0
        withUnsafeMutableBytes(of: &number) { fill($0) }
        return number
    }

    fileprivate static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        guard let base = buffer.baseAddress, !buffer.isEmpty else { return }
        let count = CInt(clamping: buffer.count)
        precondition(Int(count) == buffer.count, "more random bytes asked for in one call than RAND_bytes can count")
        // A predictable socket_id or WebSocket mask would be worse than a stop.
        OpenSSL.require(RAND_bytes(base.assumingMemoryBound(to: UInt8.self), count), "RAND_bytes")
    }
}

/// Numbers drawn ahead, for what is needed with each client: libcrypto's generator takes its locks and asks the kernel who we are each time,
/// which costs more than the numbers. One for each loop.
public struct RandomNumbers: ~Copyable {
    private var numbers = InlineArray<128, UInt32>(repeating: 0)
    private var left = 0

    public init() {}

    /// A number from the whole range. It is forgotten here.
    public mutating func next() -> UInt32 {
        if left == 0 {
            var span = numbers.mutableSpan
            span.withUnsafeMutableBytes { Randomness.fill($0) }
            left = numbers.count
        }
        left -= 1
        defer { numbers[left] = 0 }
        return numbers[left]
    }
}
