internal import BrokerCore
internal import Configuration
internal import CLinux
internal import PusherProtocol
internal import Reactor
internal import Telemetry
internal import Wire

/// One loop's server: it takes bytes from the reactor, makes each next call, and carries out what the broker asks for.
///
/// It only moves values between the modules. What it decides is decided by values with tests of their own: `RequestReader`,
/// `RequestDeadline`, `Heartbeat`, `ReadThrottle`, `Routes`, `Admission`, `Drain`. HTTP is in `LoopServer+Requests`, WebSockets and every
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
    private var upkeep = Upkeep()
    var clock = TurnClock()

    /// Memberships of closed connections given back in one turn.
    static let departuresPerTurn = 2_000

    init(state shared: ServerState, loop: EventLoop, number: Int, handles: [LoopHandle]) {
        let isTracing = Log.writes(.debug)
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
            BrokerTime(milliseconds: loop.now.nanoseconds / 1_000_000, unixSeconds: clock.unixSeconds))
    }

    // MARK: LoopHandler

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        sessions.open(slot, milliseconds: milliseconds, peer: peer)
        loop.setTimer(slot, afterMilliseconds: state.limits.keepAliveMilliseconds)
    }

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        syncTime()
        sessions[slot].heartbeat.heard(now: milliseconds)
        guard canRead(slot, waiting: bytes.count) else { return 0 }
        let consumed: Int
        switch sessions[slot].phase {
        case .http:
            guard !readThrottle.areDeliveriesBehind else {
                pause(slot, waiting: bytes.count)
                return 0
            }
            consumed = receiveRequests(slot, bytes)
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
            .slowConsumer(isWebSocket: isWebSocket, backlogBytes: why.waitingBytes, isOfProcess: why.isOfProcess))
    }

    func closed(_ slot: UInt32, _ why: TransportClose) {
        // Of one that had ended anyway it is no news.
        if sessions[slot].phase != .ending, let refusal = Refusal(why) { refuse(slot, refusal) }
        end(slot, .transport(why), .gone)
        sessions.close(slot)
    }

    func turn() -> Bool {
        syncTime()
        if state.refresh() { broker.use(state.snapshot.apps) }
        for slot in readThrottle.takeFlushed() { resumeIfDue(slot) }
        if !later.postponed.isEmpty { answerPostponed() }
        fanOut()
        if broker.departuresWaiting > 0 { broker.settleDepartures(limit: Self.departuresPerTurn) }
        applyEffects()
        if broker.hasNotes { log.writeNotes(sessions) }
        let mayAdvance = !later.lists.isEmpty && advanceLists()
        later.lists.endTurn()
        let mayResume = readThrottle.endTurn()
        return broker.hasWork || mayAdvance || mayResume || !later.postponed.isEmpty
    }

    func hasWork() -> Bool { broker.hasWork }

    func tick() {
        syncTime()
        broker.tick()
        applyEffects()
        if state.shared.isDraining { drain() } else { releaseMemory() }
        if state.shared.refusals.isOwing, broker.loop == 0 { state.shared.refusals.tellOverdue() }
    }

    // MARK: Deliveries and effects

    /// Takes deliveries as far as the turn's allowance goes.
    private func fanOut() {
        defer { readThrottle.areDeliveriesBehind = broker.queuedBytes > ReadThrottle.queuedBytesMax }
        // While an earlier turn's frames wait for their slice, only answers are made.
        guard !loop.outbox.isFlushing else { return }
        var allowance = TurnAllowance()
        while allowance.isLeft(arenaBytes: loop.outbox.bytesThisTurn),
            let delivery = broker.nextDelivery()
        {
            let bytes = WebSocketFraming.frame(delivery.message)
            allowance.spend(recipients: delivery.recipients.count, frameBytes: bytes.count)
            let frame = loop.outbox.frame(bytes)
            if delivery.except == .max {
                loop.outbox.queue(frame, to: delivery.recipients)
            } else {
                loop.outbox.queue(frame, to: delivery.recipients, except: delivery.except)
            }
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
        while broker.effects.areWaiting { applyActions() }
    }

    private func applyActions() {
        var work = broker.effects.take()
        work.forEach(
            write: { slot, message in
                let frame = WebSocketFraming.frame(message)
                readThrottle.answeredBytes += frame.count
                loop.outbox.send(frame, to: slot)
            },
            close: { slot, code in closeWebSocket(slot, code) })
        broker.effects.giveBack(work)
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

    /// Whether the peer may be answered once more in this turn. If not, it is paused; `waiting` bytes of its input are left.
    func canAnswerMore(_ slot: UInt32, waiting: Int) -> Bool {
        guard waiting > 0, sessions[slot].debt.isReplying || readThrottle.isExhausted(broker.answeredBytes) else {
            return true
        }
        pause(slot, waiting: waiting)
        return false
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
        guard !readThrottle.areDeliveriesBehind || sessions[slot].phase != .http else {
            return readThrottle.pause(slot)
        }
        sessions[slot].debt.isPaused = false
        loop.resumeReading(slot)
    }

    // MARK: Ticks

    /// Sends away those who are due while the server drains.
    private func drain() {
        if !upkeep.drain.hasBegun {
            upkeep.drain.begin(
                sessions.slots(in: .webSocket), graceSeconds: state.settings.shutdownGraceSeconds)
        }
        for slot in upkeep.drain.tick().reversed() where sessions[slot].phase == .webSocket {
            end(slot, .closed(with: .reconnect), .finish(.error(.reconnect)))
        }
    }

    /// After many clients have left, their memory goes back to the machine. Not while the server drains, when slots are remembered.
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
private struct Upkeep {
    var drain = Drain()
    var trimming = TrimPolicy()
}

/// Answers of one loop that take more than a turn.
struct LaterAnswers {
    var lists = LongReplies()
    /// Connections whose request is answered again in the next turn: another loop is making the same publish.
    var postponed: [UInt32] = []
}

extension LoopStatistics {
    /// An estimate: a connection's records and its share of the channels' come to about a kilobyte.
    fileprivate var heldBytes: Int { connections * 1_024 + backlogBytes + inputBytes }
}
