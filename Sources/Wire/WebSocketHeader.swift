/// The header of one client frame (RFC 6455 §5.2).
///
///     byte 0        byte 1           then                          then
///     F R R R opco  M length(7)      126: 2 bytes, 127: 8 bytes    the masking key (4)
struct ClientFrameHeader {
    var opcode: WebSocketOpcode
    var isFinal: Bool
    /// 6, 8 or 14.
    var headerBytes: Int
    var payloadBytes: Int
    /// The four key bytes, first one lowest.
    var key: UInt32

    enum Reading {
        /// At least so many bytes are needed from the frame's start.
        case needs(Int)
        case header(ClientFrameHeader)
    }

    /// Reads and checks the header at `offset`; refuses it as soon as the byte that is wrong is there.
    @inline(__always)
    static func read(_ bytes: Span<UInt8>, at offset: Int) throws(WebSocketFailure) -> Reading {
        let available = bytes.count - offset
        guard available >= 1 else { return .needs(2) }
        let first = bytes[offset]
        guard first & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .reservedOpcode }
        let isFinal = first & 0x80 != 0
        guard isFinal || !opcode.isControl else { throw .fragmentedControl }
        guard available >= 2 else { return .needs(2) }
        let second = bytes[offset + 1]
        guard second & 0x80 != 0 else { throw .unmasked }
        var length = UInt64(second & 0x7F)
        guard length <= 125 || !opcode.isControl else { throw .controlTooLong }
        let lengthBytes = length < 126 ? 0 : length == 126 ? 2 : 8
        guard available >= 2 + lengthBytes else { return .needs(2 + lengthBytes) }
        if lengthBytes > 0 {
            length = 0
            for index in 0..<lengthBytes { length = length << 8 | UInt64(bytes[offset + 2 + index]) }
            guard length >= 126, lengthBytes == 2 || length > 0xFFFF else { throw .nonMinimalLength }
        }
        guard let payloadBytes = Int(exactly: length) else { throw .lengthOutOfRange }
        let headerBytes = 6 + lengthBytes
        var key: UInt32 = 0
        if available >= headerBytes {
            for index in 0..<4 { key |= UInt32(bytes[offset + headerBytes - 4 + index]) << (8 * UInt32(index)) }
        }
        return .header(
            Self(
                opcode: opcode, isFinal: isFinal, headerBytes: headerBytes, payloadBytes: payloadBytes, key: key))
    }
}
