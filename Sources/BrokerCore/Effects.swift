public import PusherProtocol

/// What a command asks of the world, in order: messages to write, connections to close, loops to wake.
///
/// The broker fills it and the server carries it out and clears it after every command, so its storage is used again.
public struct Effects {
    /// One thing to do on this loop.
    public enum Action: Sendable, Equatable {
        /// Write the message whose JSON text is at this place (`Work.forEach`) to the connection in the slot.
        case frame(slot: UInt32, json: Range<Int>)
        /// Tell the code and end the connection.
        case close(slot: UInt32, reason: PusherErrorCode)
    }

    public private(set) var actions: [Action] = []
    /// The messages' texts, each with `headroomBytes` before it.
    public var bytes: [UInt8] { storage }
    var storage: [UInt8] = []
    private let headroomBytes: Int
    /// For the log.
    public var notes = Notes()
    /// One bit for each loop that was given a delivery.
    public internal(set) var wakes: UInt64 = 0
    /// One bit for each consumer of edges whose queue was empty before; the numbers of loops need all bits of `wakes`.
    var consumers: UInt64 = 0

    init(headroomBytes: Int) { self.headroomBytes = headroomBytes }

    /// Whether there is something to write or to close.
    @inlinable public var areWaiting: Bool { !actions.isEmpty }

    /// Takes out what is to be carried out, so that meanwhile the broker may ask for more; `giveBack` returns the storage.
    public mutating func take() -> Work {
        var work = Work(headroomBytes: headroomBytes)
        swap(&work.actions, &actions)
        swap(&work.storage, &storage)
        wakes = 0
        return work
    }

    /// Storage is used again, unless one large answer made it huge, or the broker has asked for more meanwhile.
    public mutating func giveBack(_ work: consuming Work) {
        guard actions.isEmpty, work.storage.capacity <= 1 << 20 else { return }
        swap(&work.actions, &actions)
        swap(&work.storage, &storage)
        actions.removeAll(keepingCapacity: true)
        storage.removeAll(keepingCapacity: true)
    }

    /// Forgets everything.
    public mutating func clear() { giveBack(take()) }

    /// Writes one message to a connection; `encode` appends its JSON.
    mutating func frame(to slot: UInt32, _ encode: (inout [UInt8]) -> Void) {
        storage.append(addingCapacity: headroomBytes) { $0.append(repeating: 0, count: headroomBytes) }
        let start = storage.count
        encode(&storage)
        actions.append(.frame(slot: slot, json: start..<storage.count))
    }

    mutating func close(_ slot: UInt32, _ reason: PusherErrorCode) {
        actions.append(.close(slot: slot, reason: reason))
    }
}

extension Effects {
    /// Actions that were taken out, with the messages they write.
    public struct Work: ~Copyable {
        @usableFromInline var actions: [Action] = []
        @usableFromInline var storage: [UInt8] = []
        @usableFromInline let headroomBytes: Int

        init(headroomBytes: Int) { self.headroomBytes = headroomBytes }

        /// Hands the actions over in their order. A message is there as long as `write` runs.
        @inlinable
        public mutating func forEach(
            write: (_ slot: UInt32, Message) -> Void, close: (_ slot: UInt32, PusherErrorCode) -> Void
        ) {
            let (actions, headroomBytes) = (actions, headroomBytes)
            storage.withUnsafeMutableBytes { all in
                for action in actions {
                    switch action {
                    case .frame(let slot, let json):
                        let whole = UnsafeMutableRawBufferPointer(
                            rebasing: all[json.lowerBound - headroomBytes..<json.upperBound])
                        write(slot, Message(bytes: whole, headroomBytes: headroomBytes))
                    case .close(let slot, let code): close(slot, code)
                    }
                }
            }
        }
    }
}
