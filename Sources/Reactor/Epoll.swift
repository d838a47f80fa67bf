internal import CLinux

/// The loop's epoll set, and the memory the kernel tells its events in. Level-triggered.
struct Epoll: ~Copyable {
    private let descriptor: Descriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private let capacity: Int

    /// - Parameter capacity: events taken from the kernel at once.
    init(capacity: Int) throws(IOError) {
        descriptor = Descriptor(owning: try IOError.check(clinux_epoll_create(), "epoll_create1"))
        events = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    deinit { events.deallocate() }

    /// Asks for events of a descriptor, which the kernel forgets when it is closed.
    /// - Returns: 0 or a negative errno.
    func add(_ watched: CInt, _ interest: UInt32, _ token: EventToken) -> CInt {
        clinux_epoll_add(descriptor.raw, watched, interest, token.packed)
    }

    func modify(_ watched: CInt, _ interest: UInt32, _ token: EventToken) -> CInt {
        clinux_epoll_modify(descriptor.raw, watched, interest, token.packed)
    }

    func remove(_ watched: CInt) { _ = clinux_epoll_remove(descriptor.raw, watched) }

    /// - Returns: how many events there are; nil after a signal.
    func wait(milliseconds: CInt) -> Int? {
        let count = clinux_epoll_wait(descriptor.raw, events, CInt(capacity), milliseconds)
        precondition(count >= 0 || count == -EINTR, "epoll_wait refused our own arguments")
        return count < 0 ? nil : Int(count)
    }

    /// An event of the last wait.
    func event(_ index: Int) -> (token: EventToken, mask: UInt32) {
        (EventToken(packed: events[index].data.u64), events[index].events)
    }
}

/// What epoll hands back: a slot and its generation, never a bare descriptor number, which may already belong to the next client.
struct EventToken: Equatable {
    var slot: UInt32
    var generation: UInt32

    static let wake = EventToken(slot: .max, generation: 0)
    static let firstListener = UInt32.max - 0x1000
    static let firstWatcher = UInt32.max - 0x2000

    init(slot: UInt32, generation: UInt32) { (self.slot, self.generation) = (slot, generation) }

    init(packed: UInt64) {
        (slot, generation) = (UInt32(truncatingIfNeeded: packed), UInt32(truncatingIfNeeded: packed >> 32))
    }

    var packed: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}
