/// The server's side of one client's frames: unmasks in place, reassembles, and refuses what RFC 6455 forbids.
///
///     ┌ between messages ┐ ──text/binary, FIN──▶ message(.inPlace)
///     └──────────────────┘ ──text/binary, no FIN──▶ ┌ open ┐ ──continuation, no FIN──▶ (same)
///                ▲                                  └──────┘ ──continuation, FIN──▶ message(.assembled)
///                └───────────────────────────────────────────────────┘
///     control frames are events in either state; a close or an error ends it, and later bytes are discarded
///
/// One loop's own. It holds no buffer between messages: a frame that is not complete stays in the caller's buffer, and only
/// fragments of an open message are copied into `assembly`.
public struct WebSocketReceiver: Sendable {
    /// Where a message's text is.
    public enum Payload: Equatable, Sendable {
        /// In the bytes given to `next`, unmasked.
        case inPlace(Range<Int>)
        /// In `assembly`, until the next call.
        case assembled
    }

    /// What the next frame means. Ranges are offsets into the bytes given to `next`.
    public enum Event: Equatable, Sendable {
        /// Nothing more to read: call again once there are at least so many bytes from `offset` on.
        case needMore(bytesMin: Int)
        /// A whole message; `isText` is false for a binary one.
        case message(Payload, isText: Bool)
        /// A ping with its payload, at most 125 bytes: a pong with the same is due. (§5.5.3)
        case ping(Range<Int>)
        /// A pong with its payload.
        case pong(Range<Int>)
        /// The peer closes; nothing follows. `code` is nil when the frame was empty.
        case close(code: UInt16?, reason: Range<Int>)
    }

    private struct Flags: OptionSet {
        var rawValue: UInt8
        /// A fragmented message is open, and whether it began as text.
        static let open = Flags(rawValue: 1), openIsText = Flags(rawValue: 2)
        /// `assembly` was handed out and can go.
        static let delivered = Flags(rawValue: 4)
        /// A close or an error came; the rest is discarded.
        static let ended = Flags(rawValue: 8)
    }

    /// The fragments of the open message, or of the one just returned as `.assembled`.
    public private(set) var assembly: [UInt8] = []
    /// Payload bytes of the frame at `offset` that are unmasked and checked already.
    private var seenBytes = 0
    private var fragments: UInt32 = 0
    private var flags: Flags = []
    private var utf8 = UTF8Stream()

    /// A receiver that has seen nothing.
    public init() {}

    /// Reads frames from `offset` up to the next event. `offset` moves past what is consumed.
    ///
    /// `.needMore` leaves the rest unconsumed: the same bytes come again, longer, next time, at any address and offset. Their
    /// payload may be unmasked already; the receiver remembers how far, so that the caller must not touch them. Call until
    /// `.needMore`: that call also frees `assembly`. Text is checked as it arrives, so that bad UTF-8 fails inside a frame
    /// that is still under way; a length over the limit fails with its header. After an error the receiver is done.
    public mutating func next(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, from offset: inout Int, limits: WebSocketLimits
    ) throws(WebSocketFailure) -> Event {
        if flags.contains(.delivered) {
            flags.remove(.delivered)
            assembly = []
        }
        guard !flags.contains(.ended) else {
            offset = bytes.count
            return .needMore(bytesMin: 2)
        }
        do {
            return try read(bytes, &offset, limits)
        } catch {
            flags = .ended
            assembly = []
            throw error
        }
    }

    private mutating func read(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, _ offset: inout Int, _ limits: WebSocketLimits
    ) throws(WebSocketFailure) -> Event {
        precondition(offset >= 0 && offset <= bytes.count, "the offset must lie within the bytes")
        while true {
            let header: ClientFrameHeader
            switch try ClientFrameHeader.read(bytes.span, at: offset) {
            case .needs(let count): return .needMore(bytesMin: count)
            case .header(let read): header = read
            }
            try checkPlace(of: header, limits)
            let start = offset + header.headerBytes
            let frameBytes = header.headerBytes + header.payloadBytes
            if header.opcode.isControl {
                guard bytes.count - offset >= frameBytes else { return .needMore(bytesMin: frameBytes) }
                let payload = start..<start + header.payloadBytes
                WebSocketFrame.unmask(.init(rebasing: bytes[payload]), key: header.key, phase: 0)
                offset += frameBytes
                return try control(header.opcode, payload, bytes.span)
            }
            if bytes.count > start { try uncover(bytes, from: start, header, limits) }
            guard bytes.count - offset >= frameBytes else { return .needMore(bytesMin: frameBytes) }
            offset += frameBytes
            if let message = try finish(header, start..<offset, bytes.span, limits) { return message }
        }
    }

    /// Refuses a frame that may not come here or is too big, before any of its payload is waited for.
    @inline(__always)
    private func checkPlace(of header: ClientFrameHeader, _ limits: WebSocketLimits) throws(WebSocketFailure) {
        guard !header.opcode.isControl else { return }
        if header.opcode == .continuation {
            guard flags.contains(.open) else { throw .unexpectedContinuation }
            guard fragments < limits.fragmentsMax else { throw .tooManyFragments }
        } else {
            guard !flags.contains(.open) else { throw .expectedContinuation }
        }
        guard header.payloadBytes <= limits.messageBytesBound - assembly.count else { throw .messageTooBig }
    }

    /// Unmasks and checks the payload bytes that are new since the last call.
    @inline(__always)
    private mutating func uncover(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, from start: Int, _ header: ClientFrameHeader,
        _ limits: WebSocketLimits
    ) throws(WebSocketFailure) {
        let available = min(bytes.count - start, header.payloadBytes)
        guard available > seenBytes else { return }
        let fresh = UnsafeMutableBufferPointer(rebasing: bytes[start + seenBytes..<start + available])
        WebSocketFrame.unmask(fresh, key: header.key, phase: seenBytes)
        seenBytes = available
        if mustBeUTF8(header, limits), !utf8.feed(fresh.span) { throw isText(header) ? .invalidUTF8 : .notText }
    }

    /// Adds a complete data frame to its message; returns the message when this was its last one.
    private mutating func finish(
        _ header: ClientFrameHeader, _ payload: Range<Int>, _ bytes: Span<UInt8>, _ limits: WebSocketLimits
    ) throws(WebSocketFailure) -> Event? {
        let isText = isText(header)
        seenBytes = 0
        guard header.isFinal else {
            assembly.append(bytes: bytes, payload)
            fragments = fragments.addingReportingOverflow(1).overflow ? .max : fragments + 1
            flags = isText ? [.open, .openIsText] : [.open]
            return nil
        }
        if mustBeUTF8(header, limits), !utf8.isComplete { throw isText ? .invalidUTF8 : .notText }
        utf8 = UTF8Stream()
        guard flags.contains(.open) else { return .message(.inPlace(payload), isText: isText) }
        assembly.append(bytes: bytes, payload)
        fragments = 0
        flags = .delivered
        return .message(.assembled, isText: isText)
    }

    private mutating func control(
        _ opcode: WebSocketOpcode, _ payload: Range<Int>, _ bytes: Span<UInt8>
    ) throws(WebSocketFailure) -> Event {
        if opcode == .ping { return .ping(payload) }
        if opcode == .pong { return .pong(payload) }
        let close = try Self.close(payload, bytes)
        flags = .ended
        assembly = []
        return close
    }

    /// Reads a close frame's payload. (§5.5.1, §7.4)
    private static func close(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(WebSocketFailure) -> Event {
        guard !payload.isEmpty else { return .close(code: nil, reason: payload) }
        guard payload.count >= 2 else { throw .shortClosePayload }
        let code = UInt16(bytes[payload.lowerBound]) << 8 | UInt16(bytes[payload.lowerBound + 1])
        switch code {
        // 1012–1014 came later by the IANA registry; 1004–1006 and 1015 must not be sent.
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw .invalidCloseCode
        }
        let reason = payload.dropFirst(2)
        guard UTF8Check.isValid(bytes.extracting(reason)) else { throw .invalidUTF8 }
        return .close(code: code, reason: reason)
    }

    @inline(__always)
    private func isText(_ header: ClientFrameHeader) -> Bool {
        header.opcode == .continuation ? flags.contains(.openIsText) : header.opcode == .text
    }

    @inline(__always)
    private func mustBeUTF8(_ header: ClientFrameHeader, _ limits: WebSocketLimits) -> Bool {
        limits.binaryMustBeText || isText(header)
    }
}
