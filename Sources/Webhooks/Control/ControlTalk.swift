internal import Glibc
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import Wire

/// Talks HTTP with those who ask: one request a connection. What they can hold is bounded: 8 connections, 64 KiB of a request, five seconds
/// for it and five for the answer to be read; between, whoever knows the answer has as long as the longest attempt takes. Loop thread only.
final class ControlTalk: LoopHandler {
    private let loop: EventLoop
    private let duties: any ControlDuties
    private let answers = Answers()
    private var connections: [UInt32: Connection] = [:]
    private var lastTicket: UInt64 = 0
    private var date = HTTPDate(unixSeconds: 0)

    /// What is known of who asks.
    private enum Connection: Equatable {
        case asking
        /// Waits for the answer with this number.
        case waiting(UInt64)
        case answered
    }

    static let connectionsMax = 8
    private static let patienceMilliseconds: UInt32 = 5_000
    /// An attempt may take 60 s.
    private static let answerMilliseconds: UInt32 = 65_000
    private static let limits = HTTPLimits(headBytesMax: 8_192, bodyBytesMax: 65_536 - 8_192)

    init(loop: EventLoop, duties: any ControlDuties) { (self.loop, self.duties) = (loop, duties) }

    /// What its loop is made with.
    static var loopOptions: LoopOptions {
        var options = LoopOptions()
        options.receiveBufferBytes = 16_384
        options.inputBytesMax = limits.headBytesMax + limits.bodyBytesMax + 64
        options.eventsPerTurn = 16
        options.backlogBytesMax = 64 << 20
        options.backlogs = BacklogLedger(limitBytes: 128 << 20)
        return options
    }

    // MARK: LoopHandler

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        guard isAllowed(slot), connections.count < Self.connectionsMax else { return loop.abort(slot) }
        connections[slot] = .asking
        loop.setTimer(slot, afterMilliseconds: Self.patienceMilliseconds)
    }

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        guard connections[slot] == .asking else { return bytes.count }
        let input = UnsafeBufferPointer(bytes)
        do throws(ControlReply) {
            guard let request = try Self.read(input.span) else { return 0 }
            ask(slot, request)
        } catch {
            send(slot, error)
        }
        return bytes.count
    }

    func endOfStream(_ slot: UInt32) {
        // Who only writes half-closed may still read.
        if connections[slot] == .asking { loop.abort(slot) }
    }

    func timerFired(_ slot: UInt32) {
        guard case .waiting? = connections[slot] else { return loop.abort(slot) }
        send(slot, .failure(504, "No answer came within \(Self.answerMilliseconds / 1_000) s"))
    }

    func closed(_ slot: UInt32, _ why: TransportClose) { connections[slot] = nil }

    func turn() -> Bool {
        for (ticket, reply) in answers.take() {
            if let slot = connections.first(where: { $0.value == .waiting(ticket) })?.key { send(slot, reply) }
        }
        return false
    }

    func hasWork() -> Bool { answers.areThere }
    func tick() {}
    func overflowed(_ slot: UInt32, _ why: Overflow) { loop.abort(slot) }

    // MARK: Who asks

    private func isAllowed(_ slot: UInt32) -> Bool {
        let peer = loop.peerProcess(slot)
        if let peer, peer.user == geteuid() || peer.user == 0 { return true }
        Log.logOncePer(
            seconds: 10, .warning, "another user asks at the control socket",
            ("user", peer.map { Int($0.user) } ?? -1), ("pid", peer.map { Int($0.process) } ?? -1))
        return false
    }

    // MARK: Requests and answers

    /// nil: it is not whole yet.
    private static func read(_ bytes: Span<UInt8>) throws(ControlReply) -> ControlRequest? {
        let head: HTTPRequestHead
        do throws(HTTPFailure) {
            guard let found = try HTTPRequestParser.parse(bytes, limits: limits) else { return nil }
            head = found
        } catch {
            throw .failure(error.status, error.text)
        }
        var bodyBytes = 0
        switch head.body {
        case .none: break
        case .length(let length): bodyBytes = length
        case .chunked: throw .failure(411, "The body's length must be announced (Content-Length)")
        }
        let end = head.headBytes + bodyBytes
        guard bytes.count >= end else { return nil }
        return try ControlRequest.parse(
            head.method, path: bytes.extracting(head.path), query: bytes.extracting(head.query),
            body: bytes.extracting(head.headBytes..<end))
    }

    private func ask(_ slot: UInt32, _ request: ControlRequest) {
        lastTicket += 1
        connections[slot] = .waiting(lastTicket)
        loop.setTimer(slot, afterMilliseconds: Self.answerMilliseconds)
        duties.answer(request) { [answers, handle = loop.handle, ticket = lastTicket] reply in
            answers.add(ticket, reply)
            handle.wake()
        }
    }

    private func send(_ slot: UInt32, _ reply: ControlReply) {
        connections[slot] = .answered
        date.set(unixSeconds: WallClock.seconds())
        var bytes: [UInt8] = []
        HTTPResponse.append(
            status: reply.status, date: date, contentType: "application/json", body: reply.json.span, keepAlive: false,
            to: &bytes)
        loop.outbox.send(bytes, to: slot)
        loop.finish(slot, lingerNanoseconds: UInt64(Self.patienceMilliseconds) * 1_000_000)
    }

    /// Answers that came, from any thread, for the loop to send.
    private final class Answers: Sendable {
        private let came = Mutex<[(UInt64, ControlReply)]>([])

        func add(_ ticket: UInt64, _ reply: ControlReply) { came.withLock { $0.append((ticket, reply)) } }

        func take() -> [(UInt64, ControlReply)] {
            came.withLock { all in
                defer { all = [] }
                return all
            }
        }

        var areThere: Bool { came.withLock { !$0.isEmpty } }
    }
}

@available(*, unavailable) extension ControlTalk: Sendable {}
