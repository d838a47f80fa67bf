internal import BrokerCore
internal import Configuration
internal import CLinux
internal import Crypto
internal import PusherProtocol
internal import Reactor
internal import Telemetry
internal import TLS
internal import Wire

/// One loop's server: it takes bytes from the reactor, makes each next call, and carries out what the broker asks for.
///
/// It only moves values between the modules. What it decides is decided by values with tests of their own: `RequestReader`,
/// `RequestDeadline`, `Heartbeat`, `ReadThrottle`, `Routes`, `Admission`, `SpreadClosing`. HTTP is in `LoopServer+Requests`, WebSockets and every
/// connection's end in `LoopServer+WebSocket`.
final class LoopServer: LoopHandler {
    let state: LoopState
    let loop: EventLoop
    let broker: LoopBroker
    /// All loops, by number.
    private let handles: [LoopHandle]
    var sessions = SessionTable()
    var routes: Routes
    var log: ConnectionLog
    var scratch = Scratch()
    var readThrottle = ReadThrottle()
    /// Answers that take more than a turn.
    var later = LaterAnswers()
    var upkeep: Upkeep
    var clock = TurnClock()

    /// Memberships of closed connections given back in one turn.
    static let departuresPerTurn = 256

    init(state shared: ServerState, loop: EventLoop, number: Int, handles: [LoopHandle]) {
        let isTracing = Log.writes(.debug)
        upkeep = Upkeep(board: shared.meters.boards[number])
        state = LoopState(shared)
        (self.loop, self.handles) = (loop, handles)
        broker = LoopBroker(shared: shared.broker, loop: number)
        broker.effects.notes.isTracing = isTracing
        routes = Routes(state: state, broker: broker, isTracing: isTracing)
        log = ConnectionLog(state: state, broker: broker, isTracing: isTracing)
    }

    /// The loop's time, truncated: only differences mean something.
    var milliseconds: UInt32 { UInt32(truncatingIfNeeded: loop.now.nanoseconds / 1_000_000) }

    /// Tells the broker the turn's time before the first command of the turn.
    func syncTime() {
        guard clock.begins(loop.now) else { return }
        broker.setTime(
            BrokerTime(
                milliseconds: loop.now.nanoseconds / 1_000_000, unixSeconds: clock.unixSeconds,
                stamp: LoopTimings.stamp(of: loop.now)))
    }

    // MARK: LoopHandler

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        sessions.open(slot, milliseconds: milliseconds, peer: peer)
        loop.setTimer(slot, afterMilliseconds: state.limits.keepAliveMilliseconds)
        if state.countsAddresses, !arrive(slot) { return }
        if listener == ListenerKind.secured.rawValue, !loop.isSecured(slot) { refusePlaintext(slot) }
    }

    func handshakeFailed(_ why: HandshakeFailure, peer: PeerAddress, listener: Int, layer: (any RecordLayer)?) {
        log.handshakeFailed(TLSFailure(why, layer as? TLSLayer), peer)
    }

    func preambleFailed(_ why: PreambleFailure, peer: PeerAddress, listener: Int) { log.preambleFailed(why, peer) }

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        syncTime()
        sessions[slot].heartbeat.heard(now: milliseconds)
        guard canRead(slot, waiting: bytes.count) else { return 0 }
        let consumed: Int
        switch sessions[slot].phase {
        case .http:
            consumed =
                readThrottle.areDeliveriesBehind ? receiveWhileBehind(slot, bytes) : receiveRequests(slot, bytes)
        case .webSocket: consumed = receiveFrames(slot, bytes)
        case .ending, .free: return bytes.count
        }
        if readThrottle.answeredBytes > 0 {
            sessions[slot].debt.add(readThrottle.answeredBytes)
            loop.markAnswered(slot)
        }
        return consumed
    }

    /// A peer that will send no more gets what is queued and is gone: no client half-closes and keeps listening.
    func endOfStream(_ slot: UInt32) {
        let debt = sessions[slot].debt
        if debt.isReplying { return later.lists.endConnection(after: debt.replyNumber) }
        end(slot, .transport(.peerClosed), .finishSoon)
    }

    func timerFired(_ slot: UInt32) {
        syncTime()
        switch sessions[slot].phase {
        case .http: checkDeadline(slot)
        case .webSocket: checkHeartbeat(slot)
        case .ending, .free: break
        }
    }

    func inputRefused(_ slot: UInt32) {
        syncTime()
        switch sessions[slot].phase {
        case .http: refuse(slot, .inputTotal(isWebSocket: false))
        case .webSocket: refuse(slot, .inputTotal(isWebSocket: true))
        case .ending, .free: break
        }
        applyEffects()
    }

    /// A subscriber of many channels may owe as much as two of the largest requests of its app send it, and nobody is slow for answers that
    /// he asked for.
    func backlogAllowance(_ slot: UInt32) -> Int {
        let answers = Int(sessions[slot].debt.owedBytes)
        guard sessions[slot].phase == .webSocket else { return state.settings.backlogBytesMax + answers }
        let limits = broker.app(of: slot).settings.limits
        let subscriptions = broker.subscriptionCount(of: slot)
        return state.settings.backlogBytes(limits, subscriptions: subscriptions) + answers
    }

    /// The peer does not keep up: it is cut off and nobody else notices (PW-180).
    func overflowed(_ slot: UInt32, _ why: Overflow) {
        let isWebSocket = sessions[slot].phase == .webSocket
        refuse(
            slot,
            .slowConsumer(isWebSocket: isWebSocket, backlogBytes: why.waitingBytes, why.cause))
    }

    func closed(_ slot: UInt32, _ why: TransportClose) {
        // Of one that had ended anyway it is no news.
        if sessions[slot].phase != .ending, let refusal = Refusal(why) { refuse(slot, refusal) }
        end(slot, .transport(why), .gone)
        if sessions[slot].place != .none { routes.admission.addresses.giveBack(&sessions[slot], now: loop.now) }
        sessions.close(slot)
    }

    func turn() -> Bool {
        syncTime()
        if state.refresh() { takeSettings() }
        if readThrottle.hasFlushed { for slot in readThrottle.takeFlushed() { resumeIfDue(slot) } }
        if !later.postponed.isEmpty { answerPostponed() }
        let waiting = broker.waiting
        let isUnfinished = (waiting.rawValue != 0 || upkeep.leaving.isDue) && serveBroker(waiting)
        if waiting.rawValue == 0 { readThrottle.noteDeliveries(queuedBytes: 0) }
        let mayAdvance = !later.lists.isEmpty && advanceLists()
        later.lists.endTurn()
        let mayResume = readThrottle.endTurn()
        if upkeep.board.isAsked { tellNumbers() }
        return isUnfinished || mayAdvance || mayResume || !later.postponed.isEmpty || upkeep.leaving.isDue
    }

    /// Does what waits for this turn.
    /// - Returns: whether the next one finds more.
    private func serveBroker(_ waiting: LoopBroker.Waiting) -> Bool {
        fanOut()
        if upkeep.leaving.isDue { sendAway() }
        if broker.departuresWaiting > 0 { broker.settleDepartures(limit: Self.departuresPerTurn) }
        if waiting.mustSweep { broker.sweep() }
        applyEffects()
        if broker.hasNotes { log.writeNotes(sessions) }
        return broker.mustGoOn
    }

    func hasWork() -> Bool { broker.mustGoOn || upkeep.board.isAsked }

    func tick() {
        syncTime()
        broker.tick()
        applyEffects()
        followDrain()
        if state.shared.lastAnswers.isAsked(broker.loop) { tellLastAnswers() }
        upkeep.leaving.tick(milliseconds: loop.now.nanoseconds / 1_000_000)
        if !state.shared.isDraining { releaseMemory() }
        if state.shared.refusals.isOwing, broker.loop == 0 { state.shared.refusals.tellOverdue() }
    }

    // MARK: Deliveries and effects

    /// Takes deliveries as far as the turn's allowance goes.
    private func fanOut() {
        defer { readThrottle.noteDeliveries(queuedBytes: broker.queuedBytes) }
        // While an earlier turn's frames wait for their slice, only answers are made.
        guard !loop.outbox.isFlushing else { return }
        var allowance = TurnAllowance()
        while allowance.isLeft(arenaBytes: loop.outbox.bytesThisTurn),
            let delivery = broker.nextDelivery()
        {
            let bytes = WebSocketFraming.frame(delivery.message)
            allowance.spend(recipients: delivery.recipients.count, frameBytes: bytes.count)
            let frame = loop.outbox.frame(bytes)
            var connections = delivery.recipients.count
            if delivery.except == .max {
                loop.outbox.queue(frame, to: delivery.recipients)
            } else if loop.outbox.queue(frame, to: delivery.recipients, except: delivery.except) {
                connections -= 1
            }
            delivery.meter?.pointee.deliveries &+= UInt64(truncatingIfNeeded: connections)
            delivery.meter?.pointee.deliveryBytes &+= UInt64(truncatingIfNeeded: connections &* bytes.count)
            if delivery.stamp != 0 { loop.noteQueued(since: delivery.stamp) }
        }
    }

    /// Carries out what the broker's last commands ask for, in their order.
    func applyEffects() {
        readThrottle.answeredBytes += broker.takeQueuedAnswerBytes()
        var wakes = broker.takeWakes()
        while wakes != 0 {
            handles[wakes.trailingZeroBitCount].wake()
            wakes &= wakes - 1
        }
        guard broker.effects.areWaiting else { return }
        while let action = broker.effects.next() {
            switch action {
            case .frame(let slot, let json): broker.effects.withMessage(at: json) { write($0, to: slot) }
            case .close(let slot, let code): closeWebSocket(slot, code)
            }
        }
        broker.effects.settle()
    }

    @inline(__always)
    private func write(_ message: Message, to slot: UInt32) {
        let frame = WebSocketFraming.frame(message)
        readThrottle.answeredBytes += frame.count
        loop.outbox.send(frame, to: slot)
        guard let meter = sessions[slot].meter else { return }
        meter.pointee.answers &+= 1
        meter.pointee.answerBytes &+= UInt64(truncatingIfNeeded: frame.count)
    }

    /// Sends what is in `scratch` as part of an answer to the peer's own request or message.
    func sendAnswer(_ slot: UInt32) {
        loop.outbox.send(scratch.bytes, to: slot)
        readThrottle.answeredBytes += scratch.bytes.count
    }

    // MARK: Reading no faster than answers are taken

    @inline(__always)
    private func canRead(_ slot: UInt32, waiting: Int) -> Bool {
        if readThrottle.canRead(&sessions[slot].debt, hasUnsentAnswers: loop.hasUnsentAnswers(slot)) { return true }
        pause(slot, waiting: waiting)
        return false
    }

    /// Requests while many deliveries wait: questions and handshakes are answered as ever, publishes are not read.
    @inline(never)
    private func receiveWhileBehind(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let queuedBytes = broker.queuedBytes
        // Only who begins to ask has said what he wants.
        let isQuestion = sessions[slot].reader.awaited == .request && bytes.first != UInt8(ascii: "P")
        if readThrottle.holdsBack(sessions[slot].debt, isQuestion: isQuestion) {
            pause(slot, waiting: bytes.count)
            return 0
        }
        let consumed = receiveRequests(slot, bytes)
        readThrottle.noteAhead(&sessions[slot].debt, bytes: broker.queuedBytes - queuedBytes)
        return consumed
    }

    /// Whether the peer may be answered once more in this turn. If not, it is paused; `waiting` bytes of its input are left.
    func canAnswerMore(_ slot: UInt32, waiting: Int) -> Bool {
        guard waiting > 0, sessions[slot].debt.isReplying || readThrottle.isExhausted(broker.answeredBytes) else {
            return true
        }
        pause(slot, waiting: waiting)
        return false
    }

    /// It has been served enough in this turn; the rest of its input is looked at in the next.
    @inline(never)
    func pauseForOthers(_ slot: UInt32, waiting: Int) {
        let isServed = sessions[slot].phase == .http || sessions[slot].phase == .webSocket
        // Whose request is held for the next turn is paused already.
        let isPaused = sessions[slot].debt.isPaused || sessions[slot].reader.isHolding
        if waiting > 0, isServed, !isPaused { pause(slot, waiting: waiting) }
    }

    @inline(never)
    private func pause(_ slot: UInt32, waiting: Int) {
        loop.inputLimit(slot, bytes: waiting + state.limits.http.headBytesMax)
        loop.pauseReading(slot)
        sessions[slot].debt.isPaused = true
        readThrottle.pause(slot)
    }

    func answersTaken(_ slot: UInt32) { resumeIfDue(slot) }

    /// Of most of those who were paused the answers are with the kernel a turn later; of the others `answersTaken` tells.
    private func resumeIfDue(_ slot: UInt32) {
        // Another connection may have the slot by now.
        let debt = sessions[slot].debt
        guard debt.isPaused, !debt.isReplying, !loop.hasUnsentAnswers(slot) else { return }
        if sessions[slot].phase == .http, readThrottle.holdsBack(debt, isQuestion: false) {
            return readThrottle.pause(slot)
        }
        sessions[slot].debt.isPaused = false
        loop.resumeReading(slot)
    }

    // MARK: Ticks

    /// Goes over to other settings, between two turns.
    private func takeSettings() {
        let before = broker.directory
        broker.use(state.snapshot.apps)
        let isTracing = state.settings.logLevel == .debug
        (routes.api.isTracing, log.isTracing, broker.effects.notes.isTracing) = (isTracing, isTracing, isTracing)
        if state.snapshot.apps.closesApps(of: before), !upkeep.isDraining { leaveClosedApps() }
    }

    /// Copies this loop's numbers for whoever scrapes.
    @inline(never)
    private func tellNumbers() {
        var report = LoopReport()
        report.statistics = loop.statistics
        (report.turns, report.lag, report.sends) = (loop.timings.turns, loop.timings.lag, loop.timings.sends)
        (report.counts, report.broker) = (log.counts, broker.meter)
        (report.apps, report.otherApps) = broker.appCounts(upTo: upkeep.board.appsMax)
        upkeep.board.tell(report)
        state.shared.meters.told()
    }

    /// How many connections the end of the process would cut off from their answer: those that have asked, and those that are too new to have.
    private func tellLastAnswers() {
        let waiting = sessions.slots(in: .http).count { slot in
            !sessions[slot].deadline.hasAnswered || sessions[slot].deadline.awaited != .request
                || sessions[slot].debt.isReplying || sessions[slot].reader.isHolding || loop.hasUnsentAnswers(slot)
        }
        let ending = sessions.slots(in: .ending).count { loop.hasUnsentAnswers($0) }
        // Handshakes of TLS, and those of whom the first byte is not here.
        let unopened = max(0, loop.connectionCount - sessions.openCount)
        state.shared.lastAnswers.tell(broker.loop, waiting: waiting + ending + unopened)
    }

    /// After many clients have left, their memory goes back to the machine. Not while the server drains, which is its last work.
    private func releaseMemory() {
        sessions.releaseUnused()
        broker.releaseUnused()
        // What the loops share is one loop's to notice: a trim is of the whole process.
        let shared = broker.loop == 0 ? broker.shared.tableStatistics.heldBytes : 0
        let held = loop.statistics.heldBytes + shared
        guard upkeep.trimming.isDue(heldBytes: held, milliseconds: loop.now.nanoseconds / 1_000_000) else { return }
        scratch.release()
        broker.releaseScratch()
        let start = MonotonicTime.now()
        clinux_trim_heap()
        Log.debug("heap trimmed", ("microseconds", Int(MonotonicTime.now().nanosecondsSince(start) / 1_000)))
    }
}

/// What a tick looks after besides the broker.
struct Upkeep {
    /// Where this loop's numbers go when somebody scrapes.
    // SAFETY: `ServerState.meters` owns it, and `LoopServer.state` that; to look at it in each turn must count no reference.
    unowned(unsafe) let board: MeterBoard
    /// Clients whom a drain or a reload sends away.
    var leaving = SpreadClosing(seed: Randomness.uint64())
    /// What of the server's drain was begun here.
    var isDraining = false
    var trimming = TrimPolicy()
}

/// Answers of one loop that take more than a turn.
struct LaterAnswers {
    var lists = LongReplies()
    /// Connections whose request is answered again in the next turn: another loop is making the same publish.
    var postponed: [UInt32] = []
}

extension LoopStatistics {
    /// An estimate: a connection's records and its share of the channels' come to about a kilobyte, its TLS to fourteen.
    fileprivate var heldBytes: Int { connections * 1_024 + secured * 14_336 + backlogBytes + inputBytes }
}
