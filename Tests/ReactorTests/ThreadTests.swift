internal import CLinux
internal import Glibc
@testable import Reactor
import Synchronization
import Testing

/// A loop on its own thread, ready when `init` returns.
private final class LoopOnThread: Sendable {
    let handle: LoopHandle
    let thread: LoopThread

    init(_ name: String) throws {
        let made = Mutex<LoopHandle?>(nil)
        let box = Box(made)
        let ready = Descriptor(owning: clinux_eventfd())
        let raw = ready.raw
        thread = try LoopThread.start(name: name) {
            guard let loop = try? EventLoop(LoopOptions()) else { return }
            box.value.withLock { $0 = loop.handle }
            _ = clinux_eventfd_signal(raw)
            loop.run(Script())
        }
        _ = clinux_wait_readable(raw, 10_000)
        handle = try #require(box.value.withLock { $0 })
    }

    private final class Box: Sendable {
        let value: Mutex<LoopHandle?>
        init(_ value: consuming Mutex<LoopHandle?>) { self.value = value }
    }
}

/// What two loops throw to each other.
private final class Ball: Sendable {
    let left: Atomic<Int>
    let sides: [LoopHandle]
    init(_ throwsLeft: Int, _ sides: [LoopHandle]) {
        left = Atomic(throwsLeft)
        self.sides = sides
    }

    func pass(to side: Int) {
        sides[side].submit { _ in
            if self.left.subtract(1, ordering: .relaxed).newValue > 0 { return self.pass(to: 1 - side) }
            for handle in self.sides { handle.stop() }
        }
    }
}

@Suite("Threads, listeners and the process") struct ThreadTests {
    /// Each side sleeps while the other holds the ball. A lost wake would be mended by the next 100 ms tick, so the time tells.
    @Test func wakingASleepingLoopLosesNoWake() throws {
        let sides = [try LoopOnThread("left"), try LoopOnThread("right")]
        let ball = Ball(20_000, sides.map(\.handle))
        let start = MonotonicTime.now()
        ball.pass(to: 0)
        for side in sides { side.thread.join() }
        #expect(ball.left.load(ordering: .relaxed) == 0)
        #expect(MonotonicTime.now().nanosecondsSince(start) < 30_000_000_000)  // 20,000 lost wakes would be 2,000 s
    }

    /// Whoever asks while the loop is awake does not wake it, so the loop has to look once more when it has said that it sleeps.
    @Test func aStopOrAJobThatCameBeforeTheLoopFellAsleepIsSeen() throws {
        let (stopped, busy, idle) = (try LoopHandle(), try LoopHandle(), try LoopHandle())
        stopped.stop()
        busy.post {}
        for handle in [stopped, busy, idle] { handle.fallAsleep() }
        #expect(stopped.isAsked && busy.isAsked && !idle.isAsked)
    }

    @Test func postedJobsRunInOrderOnTheLoop() throws {
        let side = try LoopOnThread("jobs")
        let order = Mutex<[Int]>([])
        let box = Shared(order)
        for number in 0..<1_000 { side.handle.post { box.value.withLock { $0.append(number) } } }
        side.handle.submit { loop in loop.stop() }
        side.thread.join()
        #expect(box.value.withLock { $0 } == Array(0..<1_000))
    }

    @Test func aJobThatIsPostedBeforeTheEndRunsAndALaterOneIsRefused() throws {
        let loop = try EventLoop.manual()
        let ran = Mutex<[Int]>([])
        let box = Shared(ran)
        let handle = loop.handle
        loop.stop()
        let isTaken = handle.post {
            box.value.withLock { $0.append(1) }
            // A job of the last ones comes too late for the loop.
            if handle.post({}) { box.value.withLock { $0.append(3) } }
        }
        loop.run(Script())
        let isTakenLater = handle.post { box.value.withLock { $0.append(2) } }
        #expect(isTaken && !isTakenLater && box.value.withLock { $0 } == [1] && !handle.isAsked)
    }

    private final class Shared: Sendable {
        let value: Mutex<[Int]>
        init(_ value: consuming Mutex<[Int]>) { self.value = value }
    }

    @Test func anAcceptBurstIsServedInSlicesWithTheListenersOptions() throws {
        let loop = try EventLoop.manual { $0.acceptsPerTurn = 16 }
        let script = Script()
        var opened: [(slot: UInt32, peer: PeerAddress, tag: Int)] = []
        script.onOpened = { opened.append(($0, $1, $2)) }
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: true, backlog: 256)
        let port = listener.port
        loop.listen(on: listener, tag: 3)
        let clients = (0..<100).map { _ in clinux_connect("127.0.0.1", port) }
        #expect(loop.turns(script) { !opened.isEmpty })
        #expect(opened.count <= 16)
        #expect(loop.turns(script) { opened.count == 100 })
        #expect(opened.allSatisfy { $0.peer.host == "127.0.0.1" && $0.peer.isLoopback && $0.tag == 3 })
        let first = try #require(opened.first)
        let descriptor = loop.state(first.slot).descriptor
        #expect(option(descriptor, TCP_NODELAY) == 1)
        #expect(option(descriptor, TCP_USER_TIMEOUT) == 30_000)
        #expect(option(descriptor, TCP_NOTSENT_LOWAT) == 16 * 1_024)
        for client in clients { clinux_close(client) }
        loop.turns(3, script)
        loop.stopListening()
        // Not refused at once: a process that another test is just starting holds a copy of every descriptor until its exec, so that the
        // kernel goes on listening (and resets who connected) for as long as that takes on a busy machine.
        #expect(loop.turns(script) { isRefused(port) })
        #expect(opened.count == 100, "nobody was accepted any more")
    }

    /// Whether nobody listens. The port lies among those the kernel gives to clients: one that gets it as its own is connected to itself.
    private func isRefused(_ port: UInt16) -> Bool {
        let descriptor = clinux_connect("127.0.0.1", port)
        guard descriptor >= 0 else { return descriptor == -ECONNREFUSED }
        defer { clinux_close(descriptor) }
        return clinux_local_port(descriptor) == CInt(port)
    }

    private func option(_ descriptor: CInt, _ name: CInt) -> CInt {
        var value: CInt = -1
        var length = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(descriptor, CInt(IPPROTO_TCP), name, &value, &length)
        return value
    }

    @Test func aResetPeerIsReportedAsReset() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
        let client = clinux_connect("127.0.0.1", listener.port)
        loop.listen(on: listener, tag: 0)
        #expect(loop.turns(script) { loop.connectionCount == 1 })
        clinux_set_reset_on_close(client)
        clinux_close(client)
        #expect(loop.turns(script) { !script.closes.isEmpty })
        #expect(script.closes.map(\.why) == [.reset])
    }

    /// In a process of its own, because the limit is the process's.
    @Test func withoutDescriptorsNewClientsAreRefusedInWordsAndOldOnesAreServed() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop.manual { $0.refusal = Array("come back later".utf8) }
            let script = Script()
            var echoed = 0
            script.onReceived = { slot, bytes in
                loop.outbox.send(Array(bytes), to: slot)
                echoed += 1
                return bytes.count
            }
            let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 64)
            let port = listener.port
            loop.listen(on: listener, tag: 0)
            let old = Peer(clinux_connect("127.0.0.1", port))
            precondition(loop.turns(script) { loop.connectionCount == 1 }, "the first client is accepted")
            var late: [CInt] = []
            for _ in 0..<5 { late.append(clinux_connect("127.0.0.1", port)) }
            let next = clinux_open_null()
            clinux_close(next)
            _ = clinux_set_descriptor_limit(UInt64(next))
            precondition(loop.turns(script) { loop.statistics.acceptErrors == 1 }, "the shortage is noticed")
            loop.turns(50, script)
            precondition(loop.statistics.acceptErrors == 1, "the listener rests until the next tick")
            let areRefused = loop.turns(script, millisecondsEach: 100) { loop.statistics.acceptsRefused == 5 }
            precondition(areRefused, "the waiting clients are refused")
            var answer = [UInt8](repeating: 0, count: 256)
            let count = clinux_receive(late[0], &answer, 256)
            let text = String(decoding: answer.prefix(max(0, count)), as: UTF8.self)
            precondition(text == "come back later", "they are told why")
            _ = old.send([42])
            precondition(loop.turns(script) { echoed == 1 }, "who is connected is read")
            old.read(1)  // blocks until it is there
            precondition(old.received == [42], "who is connected is answered")
            for client in late { clinux_close(client) }
            let again = clinux_connect("127.0.0.1", port)
            let isBack = loop.turns(script, millisecondsEach: 100) { loop.connectionCount == 2 }
            precondition(again >= 0 && isBack, "it recovers alone")
            exit(0)
        }
    }

    @Test func aListenerThatWasClosedWhileItRestedIsNotWatchedAgain() throws {
        let loop = try EventLoop.manual()
        loop.listen(on: try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8), tag: 0)
        (loop.acceptor.listeners[0].isDisarmed, loop.acceptor.isResting) = (true, true)
        loop.stopListening()
        loop.advance(milliseconds: 200)
        loop.turns(1, Script())
        #expect(!loop.acceptor.isResting, "else every tick tries in vain, and complains")
    }

    @Test func aReserveThatCouldNotBeOpenedIsOpenedAtTheNextTick() throws {
        let loop = try EventLoop.manual()
        clinux_close(loop.acceptor.reserve)
        loop.acceptor.reserve = -1
        loop.turns(1, Script())
        #expect(loop.acceptor.reserve < 0)
        loop.advance(milliseconds: 200)
        loop.turns(1, Script())
        #expect(loop.acceptor.reserve >= 0)
    }

    @Test func withoutDescriptorsAClientBehindALayerIsRefusedWithoutWords() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop.manual { $0.refusal = Array("come back later".utf8) }
            let script = Script()
            let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
            let port = listener.port
            loop.listen(on: listener, tag: 0) { XorLayer(isClient: false) }
            let late = Peer(clinux_connect("127.0.0.1", port))
            let next = clinux_open_null()
            clinux_close(next)
            _ = clinux_set_descriptor_limit(UInt64(next))
            precondition(loop.turns(script) { loop.statistics.acceptsRefused == 1 }, "the client is refused")
            precondition(loop.acceptor.reserve >= 0, "the reserve is there for the next one")
            late.read(256)
            precondition(late.received.isEmpty && late.sawEnd, "plain words would be garbage")
            // What a sanitizer does at the end needs descriptors.
            _ = clinux_set_descriptor_limit(UInt64(next) + 64)
            exit(0)
        }
    }

    @Test func aSignalIsReadLikeData() throws {
        let source = try SignalSource()
        #expect(source.next() == nil)
        #expect(!source.isPending(Set(ProcessSignal.allCases)))
        pthread_kill(pthread_self(), SIGUSR1)
        #expect(source.isPending([.terminate, .user1]) && !source.isPending([.terminate, .hangup]))
        let loop = try EventLoop.manual()
        var seen: [ProcessSignal] = []
        try loop.watch(source.raw) { while let signal = source.next() { seen.append(signal) } }
        loop.turns(1, Script())
        #expect(seen == [.user1])
        pthread_kill(pthread_self(), SIGHUP)
        #expect(source.wait(milliseconds: 1_000) == .hangup)
        #expect(source.wait(milliseconds: 0) == nil)
    }

    struct AddressRow: CustomTestStringConvertible {
        let testDescription: String
        let host: String
        let expected: String?
    }

    static let addresses = [
        AddressRow(testDescription: "IPv4", host: "192.0.2.1", expected: "192.0.2.1:80"),
        AddressRow(testDescription: "IPv6 is shortened", host: "2001:db8:0:0:0:0:0:1", expected: "[2001:db8::1]:80"),
        AddressRow(testDescription: "brackets", host: "[::1]", expected: "[::1]:80"),
        AddressRow(testDescription: "IPv4 in IPv6", host: "::ffff:10.1.2.3", expected: "10.1.2.3:80"),
        AddressRow(testDescription: "a name", host: "localhost", expected: nil),
        AddressRow(testDescription: "nothing", host: "", expected: nil),
        AddressRow(testDescription: "a long number", host: "1.2.3.4.5", expected: nil),
    ]

    @Test(arguments: addresses) func readsAnAddress(_ row: AddressRow) {
        #expect(PeerAddress.parse(host: row.host, port: 80)?.description == row.expected)
    }

    @Test func aNameThatDoesNotResolveIsSaidInWords() {
        let error = #expect(throws: IOError.self) {
            _ = try Listener(host: "no.such.host.invalid", port: 0, reusePort: false, backlog: 1)
        }
        #expect(error?.isResolution == true)
        #expect(error?.description.contains("no.such.host.invalid") == true)
    }

    @Test func theSoftDescriptorLimitBecomesTheHardOne() {
        let limit = DescriptorLimit.raise()
        #expect(limit.soft == limit.hard && limit.soft > 0)
    }

    @Test func aCrashLeavesNoCoreFileAndTheHardLimitStays() {
        var (before, after) = (rlimit(), rlimit())
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &before) == 0)
        before.rlim_cur = before.rlim_max
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &before) == 0)
        CoreFiles.forbid()
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &after) == 0)
        #expect(after.rlim_cur == 0 && after.rlim_max == before.rlim_max)
    }
}
