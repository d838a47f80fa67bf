internal import CLinux
internal import Glibc
@testable import Reactor

/// A handler made of closures; what a test does not set does nothing.
final class Script: LoopHandler {
    var onOpened: (UInt32, PeerAddress, Int) -> Void = { _, _, _ in }
    var onReceived: (UInt32, UnsafeMutableBufferPointer<UInt8>) -> Int = { $1.count }
    var onEnd: (UInt32) -> Void = { _ in }
    var onTimer: (UInt32) -> Void = { _ in }
    var onOverflow: (UInt32) -> Void = { _ in }
    var onInputRefused: (UInt32) -> Void = { _ in }
    var allowance = 0
    private(set) var caughtUp: [UInt32] = []
    private(set) var overflowReasons: [Overflow] = []
    var onClosed: (UInt32, TransportClose) -> Void = { _, _ in }
    var onTurn: () -> Bool = { false }
    var onTick: () -> Void = {}
    var onHasWork: () -> Bool = { false }
    private(set) var closes: [(slot: UInt32, why: TransportClose)] = []
    private(set) var overflows: [UInt32] = []

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) { onOpened(slot, peer, listener) }
    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int { onReceived(slot, bytes) }
    func endOfStream(_ slot: UInt32) { onEnd(slot) }
    func timerFired(_ slot: UInt32) { onTimer(slot) }
    func backlogAllowance(_ slot: UInt32) -> Int { allowance }
    func overflowed(_ slot: UInt32, _ why: Overflow) {
        overflows.append(slot)
        overflowReasons.append(why)
        onOverflow(slot)
    }
    func answersTaken(_ slot: UInt32) { caughtUp.append(slot) }
    func inputRefused(_ slot: UInt32) { onInputRefused(slot) }
    func closed(_ slot: UInt32, _ why: TransportClose) {
        closes.append((slot, why))
        onClosed(slot, why)
    }
    func turn() -> Bool { onTurn() }
    func tick() { onTick() }
    func hasWork() -> Bool { onHasWork() }
}

/// The far end of a connection, read and written by the test itself.
final class Peer {
    private var descriptor: CInt
    private(set) var received: [UInt8] = []
    private(set) var sawEnd = false

    init(_ descriptor: CInt) { self.descriptor = descriptor }
    deinit { if descriptor >= 0 { clinux_close(descriptor) } }

    func close() {
        hangUp(descriptor)
        descriptor = -1
    }
    func shutDown() { _ = clinux_shutdown_write(descriptor) }
    func send(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { clinux_send(descriptor, $0.baseAddress, $0.count) } }

    /// Reads up to `count` bytes that are there.
    func read(_ count: Int) {
        guard count > 0, !sawEnd else { return }
        var chunk = [UInt8](repeating: 0, count: count)
        let taken = chunk.withUnsafeMutableBytes { clinux_receive(descriptor, $0.baseAddress, count) }
        if taken == 0 { sawEnd = true }
        if taken > 0 { received += chunk[..<taken] }
    }
}

extension EventLoop {
    /// A loop whose time stands still until a test moves it.
    static func manual(_ change: (inout LoopOptions) -> Void = { _ in }) throws -> EventLoop {
        var options = LoopOptions()
        options.messageLength = messageLength
        change(&options)
        let loop = try EventLoop(options)
        loop.manualTime = loop.now
        return loop
    }

    func advance(milliseconds: UInt64) {
        manualTime = manualTime?.after(nanoseconds: milliseconds * 1_000_000)
    }

    func turns(_ count: Int, _ handler: Script) {
        for _ in 0..<count { _ = runTurn(handler, mayWait: false) }
    }

    /// Turns until something holds: the kernel may hand over TCP segments a moment after the call that sent them. False after 10 s.
    func turns(_ handler: Script, millisecondsEach: UInt64 = 0, until holds: () -> Bool) -> Bool {
        let start = MonotonicTime.now()
        while !holds() {
            if MonotonicTime.now().nanosecondsSince(start) > 10_000_000_000 { return false }
            advance(milliseconds: millisecondsEach)
            turns(1, handler)
        }
        return true
    }

    /// Waits until the kernel tells one of the events of each: a process that another test is just starting holds a copy of every
    /// descriptor until its exec, and an end that was closed here is open there. False after 10 s.
    func sees(_ events: Int32, of slots: [UInt32]) -> Bool {
        let start = MonotonicTime.now()
        return slots.allSatisfy { slot in
            while MonotonicTime.now().nanosecondsSince(start) < 10_000_000_000 {
                var watched = pollfd(fd: table[slot].descriptor, events: Int16(events), revents: 0)
                if poll(&watched, 1, 10) == 1, Int32(watched.revents) & events != 0 { return true }
                sched_yield()
            }
            return false
        }
    }

    /// Turns until a turn meets no event of a connection that is gone.
    func turnsUntilQuiet(_ handler: Script) -> Bool {
        turns(handler) {
            let before = statistics.staleEvents
            turns(1, handler)
            return statistics.staleEvents == before
        }
    }

    // Copies, because `#expect` cannot look into a table that has none.
    func state(_ slot: UInt32) -> ConnectionState { table[slot] }
    func isStalled(_ slot: UInt32) -> Bool { table.isStalled(slot) }
    func isBehind(_ slot: UInt32) -> Bool { table.isBehind(slot) }
    /// What backlogs, and the rests of records, are counted for.
    var backlogMemory: Int { table.backlogs.usedBytes }
    var backlogBudget: ProcessBudget { table.options.backlogs.budget }
    var arenaCount: Int { outbox.arenaCount }

    /// A socketpair: one end on the loop, the other for the test.
    func pair(_ handler: Script) throws -> (slot: UInt32, peer: CInt) {
        let ends = try socketPair()
        let slot = try adopt(Descriptor(owning: ends.0))
        turns(1, handler)
        return (slot, ends.1)
    }
}

/// Closes the test's end. The other one hears of it at once, even when a process that is just being started still has a copy.
func hangUp(_ descriptor: CInt) {
    _ = shutdown(descriptor, CInt(SHUT_RDWR))
    clinux_close(descriptor)
}

/// Two connected local sockets.
func socketPair() throws(IOError) -> (CInt, CInt) {
    var ends: [CInt] = [0, 0]
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw IOError(call: "socketpair", code: errno) }
    return (ends[0], ends[1])
}

/// An unmasked server frame as the broker sends them (RFC 6455 §5.2).
func serverFrame(_ payload: [UInt8], opcode: UInt8 = 1) -> [UInt8] {
    var frame: [UInt8] = [0x80 | opcode]
    switch payload.count {
    case ..<126: frame.append(UInt8(payload.count))
    case ..<65_536: frame += [126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default: frame += [127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
    }
    return frame + payload
}

/// The length of the server frame or HTTP head at the start of what a backlog holds; the broker's is `SentMessage.length`.
func messageLength(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    guard bytes.count >= 2 else { return nil }
    guard bytes[0] >= 0x80 else {
        let ends = 4..<max(4, bytes.count + 1)
        return ends.first { bytes[($0 - 4)..<$0].elementsEqual([13, 10, 13, 10]) }
    }
    let lengthBytes = [126: 2, 127: 8][bytes[1]] ?? 0
    guard bytes.count >= 2 + lengthBytes else { return nil }
    guard lengthBytes > 0 else { return 2 + Int(bytes[1]) }
    return 2 + lengthBytes + bytes[2..<2 + lengthBytes].reduce(0) { $0 << 8 | Int($1) }
}

/// Splits a byte stream into whole server frames; nil when it ends inside one.
func splitFrames(_ bytes: [UInt8]) -> [[UInt8]]? {
    var frames: [[UInt8]] = []
    var at = 0
    while at < bytes.count {
        let length = bytes.withUnsafeBufferPointer { all -> Int? in
            guard let base = all.baseAddress else { return nil }
            return messageLength(UnsafeBufferPointer(start: base + at, count: all.count - at))
        }
        guard let length, at + length <= bytes.count else { return nil }
        frames.append(Array(bytes[at..<at + length]))
        at += length
    }
    return frames
}
