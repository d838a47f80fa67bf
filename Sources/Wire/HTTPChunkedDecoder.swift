/// Reads a chunked body (RFC 9112 §7.1), in pieces of any size.
///
///     size ─▶ (extension) ─▶ CR LF ─▶ data ─▶ CR LF ─▶ size …
///       └─ 0 ─▶ CR LF ─▶ (trailer lines, dropped) ─▶ CR LF: ended
///
/// Strict where readers differ: CR LF only, no white space around sizes, extensions of at most 16 bytes.
public struct HTTPChunkedDecoder: Sendable {
    private enum State: UInt8 {
        case size, sizeDigits, chunkExtension, sizeLineFeed
        case data, dataReturn, dataLineFeed
        case lineStart, trailerName, trailerValue, trailerLineFeed, lastLineFeed, ended
    }

    /// Extension bytes of one chunk, and size digits with leading zeros: both only serve to hide or to stall.
    private static let extensionBytesMax: UInt16 = 16, digitsMax: UInt16 = 16
    private static let trailerBytesMax: UInt16 = 2_048

    private var state = State.size
    /// Bytes of the current line part, against the maximum of its state.
    private var lineBytes: UInt16 = 0
    /// Data bytes left in the current chunk.
    private var remaining = 0

    /// A decoder at the start of a body.
    public init() {}

    /// Whether the body has ended; what follows is the next message.
    public var hasEnded: Bool { state == .ended }

    /// Reads from `offset` (which moves past what is consumed) and appends the data to `body`.
    ///
    /// - Returns: true when the body has ended; what follows is the next request. Further calls consume nothing.
    /// - Throws: 400 for a malformed body; 413 as soon as a chunk's size would make `body` larger than `bodyBytesMax`; 431 for
    ///   trailers over 2 KiB. Answer and close.
    public mutating func feed(
        _ bytes: Span<UInt8>, from offset: inout Int, into body: inout [UInt8], bodyBytesMax: Int
    ) throws(HTTPFailure) -> Bool {
        while let data = try next(bytes, from: &offset, room: bodyBytesMax - body.count) {
            body.append(bytes: bytes, data)
        }
        return hasEnded
    }

    /// Reads from `offset` (which moves past what is consumed) up to and including the next run of data.
    ///
    /// `room`: how many bytes the body may still grow by.
    /// - Returns: where the data stands in `bytes`, never empty; nil: all bytes are consumed, or the body has ended.
    /// - Throws: as `feed`.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: inout Int, room: Int
    ) throws(HTTPFailure) -> Range<Int>? {
        while offset < bytes.count, state != .ended {
            if state == .data {
                let start = offset
                let count = min(remaining, bytes.count - start)
                offset += count
                remaining -= count
                if remaining == 0 { state = .dataReturn }
                return start..<offset
            }
            let byte = bytes[offset]
            offset += 1
            if state.rawValue < State.data.rawValue {
                try readSize(byte, room: room)
            } else if state == .dataReturn || state == .dataLineFeed {
                guard byte == (state == .dataReturn ? Byte.carriageReturn : Byte.lineFeed) else {
                    throw .bad("A chunk must be followed by CR LF")
                }
                state = state == .dataReturn ? .dataLineFeed : .size
            } else {
                try readTrailer(byte)
            }
        }
        return nil
    }

    /// `1*HEXDIG [";" extension] CR LF`
    private mutating func readSize(_ byte: UInt8, room: Int) throws(HTTPFailure) {
        switch state {
        case .size, .sizeDigits:
            if let digit = Hex.value(byte) {
                lineBytes = state == .size ? 1 : lineBytes + 1
                guard lineBytes <= Self.digitsMax else { throw .bad("A chunk size has too many digits") }
                // Checked on every digit, so that the size never exceeds 16 times the limit and cannot overflow.
                let (product, overflowed) = (state == .size ? 0 : remaining).multipliedReportingOverflow(by: 16)
                remaining = overflowed ? .max : product | Int(digit)
                guard remaining <= room else { throw HTTPFailure(status: 413, text: "The body is too large") }
                state = .sizeDigits
            } else if byte == Byte.carriageReturn, state == .sizeDigits {
                state = .sizeLineFeed
            } else if byte == Byte.semicolon, state == .sizeDigits {
                lineBytes = 1
                state = .chunkExtension
            } else {
                throw .bad("A chunk size is malformed")
            }
        case .chunkExtension:
            if byte == Byte.carriageReturn {
                state = .sizeLineFeed
            } else {
                lineBytes += 1
                guard HTTPText.isFieldByte(byte), lineBytes <= Self.extensionBytesMax else {
                    throw .bad("A chunk extension is malformed or longer than \(Self.extensionBytesMax) bytes")
                }
            }
        default:
            guard byte == Byte.lineFeed else { throw .bad("A CR must be followed by LF") }
            lineBytes = 0
            state = remaining > 0 ? .data : .lineStart
        }
    }

    /// Header lines up to the empty one; their content is dropped.
    private mutating func readTrailer(_ byte: UInt8) throws(HTTPFailure) {
        lineBytes += 1
        guard lineBytes <= Self.trailerBytesMax else {
            throw HTTPFailure(status: 431, text: "The trailers are larger than \(Self.trailerBytesMax) bytes")
        }
        switch state {
        case .lineStart where byte == Byte.carriageReturn: state = .lastLineFeed
        case .lineStart where HTTPText.isToken(byte): state = .trailerName
        case .lineStart: throw HTTPRequestParser.badName(byte, atLineStart: true)
        case .trailerName where HTTPText.isToken(byte): break
        case .trailerName where byte == Byte.colon: state = .trailerValue
        case .trailerName: throw HTTPRequestParser.badName(byte, atLineStart: false)
        case .trailerValue where HTTPText.isFieldByte(byte): break
        case .trailerValue where byte == Byte.carriageReturn: state = .trailerLineFeed
        case .trailerValue: throw .bad("A trailer contains an illegal character")
        default:
            guard byte == Byte.lineFeed else { throw .bad("A CR must be followed by LF") }
            state = state == .lastLineFeed ? .ended : .lineStart
        }
    }
}
