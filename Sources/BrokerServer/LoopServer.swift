internal import BrokerCore
internal import Configuration
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Telemetry
internal import Wire

/// One loop's server: it takes bytes from the reactor, makes each next call, and carries out what the broker asks for.
///
/// It only moves values between the rooms; the rules are in `Wire`, `PusherProtocol` and `BrokerCore`. Its parts are in the
/// `LoopServer+…` files: requests, WebSockets, admission, the HTTP API, operations.
final class LoopServer: LoopHandler {
    let state: ServerState
    let loop: EventLoop
    let broker: LoopBroker
    let httpLimits: HTTPLimits
    let webSocketLimits: WebSocketLimits
    /// A connection without a request is closed after this long.
    let keepAliveMilliseconds: UInt32
    let workspace = HMACWorkspace()
    var sessions = SessionTable()
    /// The request that is being answered, for the log.
    var asking = Asking()
    /// What goes well is logged too.
    let isTracing = Log.writes(.debug)
    var handles: [LoopHandle] = []
    /// Slots that are still to be sent away; see `drainTick`.
    var isLeaving = false
    var leaving: [UInt32] = []
    var leavingPerTick = 0
    var readThrottle = ReadThrottle()
    /// Connections whose request is answered again in the next turn; see `postpone`.
    var postponed: [UInt32] = []
    var trimming = TrimPolicy()
    var longReplies = LongReplies()
    /// Channels and users that lists may still look at in this turn.
    var listWork = LoopServer.listWorkPerTurn
    var memory = MemoryGauge()
    private var toldTime = MonotonicTime(nanoseconds: 0)
    /// The wall clock, read once a turn and again for each request: who signs is told to the second.
    private(set) var unixSeconds = WallClock.seconds()

    // Storage used again by every request.
    var query = APIQuery()
    var reply: [UInt8] = []
    var response: [UInt8] = []
    var control: [UInt8] = []
    var date = HTTPDate(unixSeconds: 0)

    /// Nanoseconds in a second, for timers.
    static let second: UInt64 = 1_000_000_000
    /// How long a peer may take to finish a closing handshake.
    static let lingerNanoseconds = 5 * second
    /// A request must be whole so long after its first byte, or who dribbles requests would hold connections for nothing.
    static let requestMilliseconds: UInt32 = 8_000
    /// What a connection may hold of a request or message that is not whole although everybody together holds too much.
    static let inputGraceBytes = LoopOptions().inputGraceBytes
    /// The rest of a body that nobody wants is read and passed over up to so many bytes; before a longer one the connection ends.
    static let skippedBytesMax = 64 << 10
    /// Memberships of closed connections given back in one turn.
    static let departuresPerTurn = 2_000

    init(state: ServerState, loop: EventLoop, number: Int) {
        self.state = state
        self.loop = loop
        broker = LoopBroker(shared: state.broker, loop: number)
        httpLimits = HTTPLimits(
            headBytesMax: state.settings.requestHeadBytesMax, bodyBytesMax: state.settings.requestBodyBytesMax)
        broker.effects.notes.isTracing = isTracing
        keepAliveMilliseconds = UInt32(state.settings.keepAliveSeconds) * 1_000
        webSocketLimits = WebSocketLimits(messageBytesMax: state.settings.messageBytesMax)
    }

    var milliseconds: UInt32 { UInt32(truncatingIfNeeded: loop.now.nanoseconds / 1_000_000) }

    /// Tells the broker the turn's time before the first command of the turn.
    func syncTime() {
        guard toldTime != loop.now else { return }
        toldTime = loop.now
        readWallClock()
        broker.setTime(BrokerTime(milliseconds: loop.now.nanoseconds / 1_000_000, unixSeconds: unixSeconds))
    }

    func readWallClock() { unixSeconds = WallClock.seconds() }

    // MARK: LoopHandler

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        sessions.open(slot, milliseconds: milliseconds, peer: peer)
        loop.setTimer(slot, after: UInt64(keepAliveMilliseconds) * 1_000_000)
    }

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        syncTime()
        sessions[slot].heardMilliseconds = milliseconds
        guard canRead(slot, waiting: bytes.count) else { return 0 }
        let consumed: Int
        switch sessions[slot].phase {
        case .http: consumed = receiveRequests(slot, bytes)
        case .webSocket: consumed = receiveFrames(slot, bytes)
        case .ending, .free: return bytes.count
        }
        countAnswers(slot)
        return consumed
    }

    func endOfStream(_ slot: UInt32) {
        if isReplying(slot) { return longReplies.endConnection(after: sessions[slot].replyNumber) }
        // A peer that will send no more gets what is queued and is gone: no client half-closes and keeps listening.
        end(slot, .transport(.peerClosed))
        loop.finish(slot, lingerNanoseconds: Self.second)
    }

    func timerFired(_ slot: UInt32) {
        syncTime()
        switch sessions[slot].phase {
        case .http: requestTimer(slot)
        case .webSocket: heartbeatTimer(slot)
        case .ending, .free: break
        }
    }

    /// Everybody together holds too much that is not whole: the caller comes again in a second, the client as its library does.
    func inputRefused(_ slot: UInt32) {
        syncTime()
        switch sessions[slot].phase {
        case .http:
            respondError(
                slot, status: 503, "The server receives too many requests at once; try again in a second",
                logged: "inputTotalBytes is used up by requests and messages that are not whole",
                extraHeaders: "Retry-After: 1\r\n", keepAlive: false)
        case .webSocket:
            logRefusal(
                .limit, slot, code: 4100, "inputTotalBytes is used up by requests and messages that are not whole")
            sendErrorAndClose(slot, .overCapacity)
        case .ending, .free: break
        }
        applyEffects()
    }

    /// A subscriber of many channels may owe as much as two of the largest requests of its app send it, and nobody is slow for answers that
    /// he asked for.
    func backlogAllowance(_ slot: UInt32) -> Int {
        let answers = Int(sessions[slot].owedBytes)
        guard sessions[slot].phase == .webSocket else { return state.settings.backlogBytesMax + answers }
        let limits = broker.app(of: slot).settings.limits
        let subscriptions = broker.subscriptionCount(of: slot)
        return state.settings.backlogBytes(limits, subscriptions: subscriptions) + answers
    }

    /// The peer does not keep up: it is closed with 4100 and nobody else notices (PW-180).
    func overflowed(_ slot: UInt32, _ why: Overflow) {
        let isWebSocket = sessions[slot].phase == .webSocket
        logRefusal(
            .slowConsumer, slot, code: isWebSocket ? 4100 : nil,
            why.isOfProcess
                ? "all unsent backlogs together passed backlogTotalBytes, and it held most"
                : "the unsent backlog passed backlogBytes",
            ("backlog_bytes", why.waitingBytes))
        end(slot, .closed(code: 4100))
        guard isWebSocket else { return loop.abort(slot) }
        control.removeAll(keepingCapacity: true)
        appendErrorAndClose(.overCapacity, reason: "Too slow: the unsent backlog passed its limit", to: &control)
        control.withUnsafeBytes { loop.finishWithFrame(slot, $0) }
    }

    func closed(_ slot: UInt32, _ why: TransportClose) {
        logTransport(slot, why)
        end(slot, .transport(why))
        sessions.close(slot)
    }

    func turn() -> Bool {
        syncTime()
        resumePaused()
        if !postponed.isEmpty { answerPostponed() }
        var allowance = TurnAllowance()
        // While an earlier turn's frames wait for their slice, only answers are made.
        while !loop.outbox.isFlushing, allowance.isLeft(arenaBytes: loop.outbox.bytesThisTurn),
            let delivery = broker.nextDelivery() {
            allowance.spend(recipients: delivery.recipients.count)
            let frame = loop.outbox.frame(delivery.bytes)
            if delivery.except == .max {
                loop.outbox.queue(frame, to: delivery.recipients)
            } else {
                loop.outbox.queue(frame, to: delivery.recipients, except: delivery.except)
            }
        }
        if broker.departuresWaiting > 0 { broker.settleDepartures(limit: Self.departuresPerTurn) }
        applyEffects()
        if broker.hasNotes { logNotes() }
        let mayAdvance = !longReplies.isEmpty && advanceLongReplies()
        listWork = Self.listWorkPerTurn
        let mayResume = readThrottle.endTurn()
        return broker.hasWork || mayAdvance || mayResume || !postponed.isEmpty
    }

    func hasWork() -> Bool { broker.hasWork }

    func tick() {
        syncTime()
        broker.tick()
        applyEffects()
        drainTick()
        if state.refusals.isOwing, broker.loop == 0 { state.refusals.tellOverdue() }
        releaseMemory()
    }

    // MARK: Effects

    /// Carries out what the broker's last commands ask for, in their order.
    func applyEffects() {
        readThrottle.answeredBytes += broker.takeQueuedAnswerBytes()
        var wakes = broker.takeWakes()
        while wakes != 0 {
            handles[wakes.trailingZeroBitCount].wake()
            wakes &= wakes - 1
        }
        guard !broker.effects.actions.isEmpty else { return }
        applyActions()
        broker.effects.clear()
    }

    /// Holds the arrays themselves, not the broker's property: ending a connection is a command to the broker.
    private func applyActions() {
        let (actions, bytes) = (broker.effects.actions, broker.effects.bytes)
        bytes.withUnsafeBytes { bytes in
            for action in actions {
                switch action {
                case .frame(let slot, let range):
                    readThrottle.answeredBytes += range.count
                    loop.outbox.send(UnsafeRawBufferPointer(rebasing: bytes[range]), to: slot)
                case .close(let slot, let reason): closeWebSocket(slot, reason)
                }
            }
        }
    }

    /// Takes a connection out of the broker, once, whatever ended it.
    func end(_ slot: UInt32, _ cause: EndCause) {
        // It has ended before, and holds nothing any more.
        guard sessions[slot].phase != .ending else { return }
        if sessions[slot].phase == .webSocket {
            // While it still has a name.
            if broker.hasNotes { logNotes() }
            if isTracing { logDisconnect(slot, cause) }
            broker.close(slot: slot)
            state.releaseWebSocket()
        }
        if sessions[slot].phase != .free { sessions[slot].phase = .ending }
        sessions[slot].chunked = nil
        sessions[slot].receiver = WebSocketReceiver()
        releaseAssembly(slot)
    }

    func socketText(_ slot: UInt32) -> String {
        guard broker.isOpen(slot) else { return "-" }
        var text: [UInt8] = []
        broker.socketID(of: slot).append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
