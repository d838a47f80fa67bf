public import PusherProtocol

/// What a command asks of the world, in order: messages to write, connections to close, loops to wake.
///
/// The broker fills it and the server carries it out and clears it after every command, so its storage is used again.
public struct Effects {
    /// One thing to do on this loop.
    public enum Action: Sendable, Equatable {
        /// Write the message whose JSON text is at this place (`withMessage`) to the connection in the slot.
        case frame(slot: UInt32, json: Range<Int>)
        /// Tell the code and end the connection.
        case close(slot: UInt32, reason: PusherErrorCode)
    }

    public private(set) var actions: [Action] = []
    /// The messages' texts, each with `headroomBytes` before it.
    public private(set) var bytes: [UInt8] = []
    private let headroomBytes: Int
    /// For the log.
    public var notes = Notes()
    /// One bit for each loop that was given a delivery.
    public internal(set) var wakes: UInt64 = 0
    /// One bit for each consumer of edges whose queue was empty before; the numbers of loops need all bits of `wakes`.
    var consumers: UInt64 = 0

    init(headroomBytes: Int) { self.headroomBytes = headroomBytes }

    /// The message of an action, for as long as `body` runs.
    public mutating func withMessage(json: Range<Int>, _ body: (Message) -> Void) {
        bytes.withUnsafeMutableBytes { all in
            let whole = UnsafeMutableRawBufferPointer(rebasing: all[json.lowerBound - headroomBytes..<json.upperBound])
            body(Message(bytes: whole, headroomBytes: headroomBytes))
        }
    }

    /// Forgets everything and keeps the storage, unless one large answer made it huge.
    public mutating func clear() {
        if !actions.isEmpty { actions.removeAll(keepingCapacity: true) }
        if bytes.capacity > 1 << 20 { bytes = [] }
        if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
        wakes = 0
    }

    /// Writes one message to a connection; `encode` appends its JSON.
    mutating func frame(to slot: UInt32, _ encode: (inout [UInt8]) -> Void) {
        for _ in 0..<headroomBytes { bytes.append(0) }
        let start = bytes.count
        encode(&bytes)
        actions.append(.frame(slot: slot, json: start..<bytes.count))
    }

    mutating func close(_ slot: UInt32, _ reason: PusherErrorCode) {
        actions.append(.close(slot: slot, reason: reason))
    }
}
