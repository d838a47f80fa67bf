internal import BrokerCore
internal import Wire

/// Makes WebSocket frames of the broker's messages, in place.
enum WebSocketFraming {
    /// What the broker keeps free before each text.
    static let headroomBytes = WebSocketFrame.headerBytesMax

    /// Writes the header of a text frame right before the text.
    /// - Returns: the frame, for as long as the message is there.
    @inline(__always)
    static func frame(_ message: Message) -> UnsafeRawBufferPointer {
        let payloadBytes = message.bytes.count - message.headroomBytes
        let unused = message.headroomBytes - WebSocketFrame.headerBytes(payloadBytes: payloadBytes)
        precondition(unused >= 0, "the broker was told to keep room for a header")
        let frame = UnsafeMutableRawBufferPointer(rebasing: message.bytes[unused...])
        guard let base = frame.baseAddress else { preconditionFailure("a frame has a header") }
        WebSocketFrame.writeHeader(.text, payloadBytes: payloadBytes, to: base)
        return UnsafeRawBufferPointer(frame)
    }
}
