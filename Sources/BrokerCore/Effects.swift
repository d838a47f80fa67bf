public import PusherProtocol
internal import Wire

/// What a command asks of the world, in order: frames to write, connections to close, loops to wake.
///
/// The broker fills it and the server carries it out and clears it after every command, so its storage is used again.
public struct Effects {
    /// One thing to do on this loop.
    public enum Action: Sendable, Equatable {
        /// Write `bytes[range]`, one whole WebSocket frame, to the connection in the slot.
        case frame(slot: UInt32, range: Range<Int>)
        /// Send a close frame with the code and end the connection.
        case close(slot: UInt32, reason: PusherErrorCode)
    }

    public private(set) var actions: [Action] = []
    public private(set) var bytes: [UInt8] = []
    /// For the log.
    public var notes = Notes()
    /// One bit for each loop that was given a delivery.
    public internal(set) var wakes: UInt64 = 0
    /// One bit for each consumer of edges whose queue was empty before; the numbers of loops need all bits of `wakes`.
    var consumers: UInt64 = 0

    init() {}

    /// Forgets everything and keeps the storage, unless one large answer made it huge.
    public mutating func clear() {
        if !actions.isEmpty { actions.removeAll(keepingCapacity: true) }
        if bytes.capacity > 1 << 20 { bytes = [] }
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        wakes = 0
    }

    /// Writes one text frame to a connection; `encode` appends its JSON.
    mutating func frame(to slot: UInt32, _ encode: (inout [UInt8]) -> Void) {
        let start = bytes.count
        for _ in 0..<WebSocketFrame.headerBytesMax { bytes.append(0) }
        encode(&bytes)
        let payload = bytes.count - start - WebSocketFrame.headerBytesMax
        let headerBytes = WebSocketFrame.headerBytes(payloadBytes: payload)
        let first = start + WebSocketFrame.headerBytesMax - headerBytes
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("the header's bytes were appended above") }
            WebSocketFrame.writeHeader(.text, payloadBytes: payload, to: base + first)
        }
        actions.append(.frame(slot: slot, range: first..<bytes.count))
    }

    mutating func close(_ slot: UInt32, _ reason: PusherErrorCode) {
        actions.append(.close(slot: slot, reason: reason))
    }
}
