/// The turn arena of one loop: every frame of a turn is written once, every connection remembers only which frames it gets.
///
/// ```
/// arena    | frame 0 | frame 1 | frame 2 | frame 3 |            bytes, reset at the end of the turn
/// entry    connection 17: 0..<2, 3..<4                          runs: consecutive frames are one piece of memory
/// flush    send(17, frame 0 and 1) + frame 3 gathered           what the kernel refuses goes to the connection's backlog
/// ```
/// Loop thread only. A frame's bytes are a whole message (a WebSocket frame with its header, or an HTTP response).
public final class Outbox {
    /// Raw state behind one constant pointer: a class's stored properties would pay an exclusivity check per access, and the
    /// fan-out loop is the hottest code of the product.
    let state: UnsafeMutablePointer<OutboxState>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: OutboxState())
    }

    deinit {
        state.pointee.free()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Copies a message into the arena.
    /// - Returns: its index, valid until the turn ends (or until the next call of the handler, when the arena passed 4 MiB).
    public func frame(_ bytes: UnsafeRawBufferPointer) -> UInt32 { state.pointee.frame(bytes) }

    /// Gives the frame to one connection. Closed, finishing and overflowed connections are skipped.
    public func queue(_ frame: UInt32, to slot: UInt32) { state.pointee.queue(frame, to: slot) }

    /// Gives the frame to every connection of a dense list. About a nanosecond each; no allocation, no reference counting.
    public func queue(_ frame: UInt32, to slots: UnsafeBufferPointer<UInt32>) {
        state.pointee.queue(frame, to: slots, except: .max)
    }

    /// The same but for one connection (the publisher's `socket_id`).
    public func queue(_ frame: UInt32, to slots: UnsafeBufferPointer<UInt32>, except slot: UInt32) {
        state.pointee.queue(frame, to: slots, except: slot)
    }

    /// `frame` and `queue` for a message of one connection.
    public func send(_ bytes: UnsafeRawBufferPointer, to slot: UInt32) {
        guard state.pointee.takes(slot) else { return }
        state.pointee.queue(state.pointee.frame(bytes), to: slot)
    }

    /// The same from an array.
    public func send(_ bytes: [UInt8], to slot: UInt32) { bytes.withUnsafeBytes { send($0, to: slot) } }

    /// Arena bytes used in this turn; stop draining deliveries above 4 MiB so that the turn flushes.
    public var bytesThisTurn: Int { state.pointee.arenaCount }
}

@available(*, unavailable) extension Outbox: Sendable {}
