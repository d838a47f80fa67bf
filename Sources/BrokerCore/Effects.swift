public import PusherProtocol

/// What a command asks of the world, in order: messages to write, connections to close, loops to wake.
///
/// The broker fills it; after every command the server carries it out, one action after the other, and meanwhile the broker may ask for more.
///
/// ```
/// asked     | carried out | what waits |        both grow at the end; what is carried out stays until it is `keptMax`,
/// storage   | texts       | texts      |        because to empty an array costs more than most commands
/// ```
public struct Effects {
    /// One thing to do on this loop.
    public enum Action: Sendable, Equatable {
        /// Write the message whose JSON text is at this place (`withMessage`) to the connection in the slot.
        case frame(slot: UInt32, json: Range<Int>)
        /// Tell the code and end the connection.
        case close(slot: UInt32, reason: PusherErrorCode)
    }

    /// Carried out and not forgotten yet, at most: actions, and bytes of their texts.
    private static let keptMax = (actions: 256, bytes: 16 << 10)
    /// Storage that was larger does not stay.
    private static let heldBytesMax = 1 << 20

    @usableFromInline var asked: [Action] = []
    /// How many of `asked` are carried out.
    @usableFromInline var done = 0
    @usableFromInline var storage: [UInt8] = []
    /// Where the texts of what waits begin.
    private var waitingStart = 0
    @usableFromInline let headroomBytes: Int
    /// For the log.
    public var notes = Notes()
    /// One bit for each loop that was given a delivery.
    public internal(set) var wakes: UInt64 = 0
    /// One bit for each consumer of edges whose queue was empty before; the numbers of loops need all bits of `wakes`.
    var consumers: UInt64 = 0

    init(headroomBytes: Int) { self.headroomBytes = headroomBytes }

    /// Whether there is something to write or to close.
    @inlinable public var areWaiting: Bool { done < asked.count }

    /// Nothing is to be written, closed or woken.
    var areDone: Bool { !areWaiting && wakes | consumers == 0 }

    /// Bytes of the texts that wait, with what stands before each.
    var waitingBytes: Int { storage.count - waitingStart }

    /// What waits, in its order; for tests.
    public var actions: [Action] { Array(asked[done...]) }
    /// What the ranges of `actions` are ranges of; for tests.
    public var bytes: [UInt8] { storage }

    /// The next thing to do; nil: none.
    @inlinable
    public mutating func next() -> Action? {
        guard done < asked.count else { return nil }
        defer { done &+= 1 }
        return asked[done]
    }

    /// Gives out the message of a frame. No command may be given meanwhile.
    @inlinable
    public mutating func withMessage(at json: Range<Int>, _ body: (Message) -> Void) {
        let headroomBytes = headroomBytes
        storage.withUnsafeMutableBytes { all in
            let whole = UnsafeMutableRawBufferPointer(rebasing: all[json.lowerBound - headroomBytes..<json.upperBound])
            body(Message(bytes: whole, headroomBytes: headroomBytes))
        }
    }

    /// All that was asked for has been carried out.
    @inline(__always)
    public mutating func settle() {
        precondition(!areWaiting, "what was asked for is carried out before it is forgotten")
        waitingStart = storage.count
        if asked.count > Self.keptMax.actions || waitingStart > Self.keptMax.bytes { forget() }
    }

    /// Forgets everything.
    public mutating func clear() {
        wakes = 0
        forget()
    }

    @inline(never)
    private mutating func forget() {
        (done, waitingStart) = (0, 0)
        asked.removeAll(keepingCapacity: asked.capacity <= 1 << 14)
        storage.removeAll(keepingCapacity: storage.capacity <= Self.heldBytesMax)
    }

    /// Writes one message to a connection; `encode` appends its JSON.
    mutating func frame(to slot: UInt32, _ encode: (inout [UInt8]) -> Void) {
        storage.append(addingCapacity: headroomBytes) { $0.append(repeating: 0, count: headroomBytes) }
        let start = storage.count
        encode(&storage)
        asked.append(.frame(slot: slot, json: start..<storage.count))
    }

    mutating func close(_ slot: UInt32, _ reason: PusherErrorCode) {
        asked.append(.close(slot: slot, reason: reason))
    }
}
