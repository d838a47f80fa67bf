internal import Reactor

/// The sessions of one loop's clients, by the slot the reactor gave each.
///
/// Behind a pointer, because to reach one for writing is part of every message, and `Array` takes thirty instructions for it.
struct SessionTable: ~Copyable {
    /// Every one of them is initialized.
    private var sessions = UnsafeMutableBufferPointer<Session>.allocate(capacity: 0)

    deinit {
        sessions.deinitialize()
        sessions.deallocate()
    }

    subscript(slot: UInt32) -> Session {
        _read { yield sessions[index(slot)] }
        _modify { yield &sessions[index(slot)] }
    }

    private func index(_ slot: UInt32) -> Int {
        precondition(slot < sessions.count, "a slot that was never opened")
        return Int(slot)
    }

    /// Starts a session.
    mutating func open(_ slot: UInt32, milliseconds: UInt32, peer: PeerAddress = PeerAddress()) {
        if slot >= sessions.count { resize(to: max(Int(slot) + 1, sessions.count * 2)) }
        self[slot] = Session(openedMilliseconds: milliseconds, peer: peer)
    }

    /// Gives back the memory of sessions behind the first `slotCount`, which are free, when they are more than half of all.
    mutating func shrink(to slotCount: Int) {
        if sessions.count / 2 > slotCount { resize(to: slotCount) }
    }

    func slots(in phase: Session.Phase) -> [UInt32] {
        sessions.indices.filter { sessions[$0].phase == phase }.map(UInt32.init)
    }

    private mutating func resize(to count: Int) {
        let resized = UnsafeMutableBufferPointer<Session>.allocate(capacity: count)
        let kept = min(count, sessions.count)
        _ = resized[..<kept].moveInitialize(fromContentsOf: sessions[..<kept])
        resized[kept...].initialize(repeating: Session())
        sessions[kept...].deinitialize()
        sessions.deallocate()
        sessions = resized
    }
}
