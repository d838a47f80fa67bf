internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Reactor
internal import Wire

/// The HTTP side: what `RequestReader` finds is answered by `Routes`, in order; replies go out as `HTTPReply` says.
extension LoopServer {
    /// The rest of a body that nobody wants is read and passed over up to so many bytes; before a longer one the connection ends.
    static let skippedBytesMax = 64 << 10
    /// Events of one read that are acted on in one turn: requests of a pipeline, or parts of them. About half a millisecond.
    static let requestsPerRead = 128

    func receiveRequests(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let input = UnsafeBufferPointer(bytes)
        var offset = 0
        var view = RequestView()
        var left = Self.requestsPerRead
        do throws(HTTPFailure) {
            while offset < input.count, left > 0, sessions[slot].phase == .http, !sessions[slot].reader.isHolding,
                canAnswerMore(slot, waiting: input.count - offset)
            {
                let event = try sessions[slot].reader.next(
                    input, from: &offset, state.limits.http, into: &view)
                guard act(on: event, slot, &view, input, &offset) else { break }
                left -= 1
                if left == 0 { pauseForOthers(slot, waiting: input.count - offset) }
            }
        } catch {
            refuse(slot, .unreadable(error))
        }
        switch sessions[slot].phase {
        case .webSocket:
            // Frames may follow the handshake in the same read (PW-017).
            return offset + receiveFrames(slot, UnsafeMutableBufferPointer(rebasing: bytes[offset...]))
        case .http: return offset
        case .ending, .free: return bytes.count
        }
    }

    /// - Returns: whether there may be more to do with the bytes.
    @inline(__always)
    private func act(
        on event: RequestReader.Event, _ slot: UInt32, _ view: inout RequestView, _ input: UnsafeBufferPointer<UInt8>,
        _ offset: inout Int
    ) -> Bool {
        switch event {
        case .request:
            _ = answer(slot, &view)
            requestEnded(slot)
        case .kept(let kept): answer(slot, kept)
        case .passed: requestEnded(slot)
        case .needMore(let inputBytesMax):
            if let inputBytesMax { loop.inputLimit(slot, bytes: inputBytesMax) }
            armDeadline(slot)
            return false
        case .head(let left): return askAboutBody(slot, view, left: left, input, &offset)
        case .tls: refuse(slot, .tlsOnPlaintext(state.settings))
        case .overBudget:
            offset = input.count
            inputRefused(slot)
        }
        return true
    }

    /// Answers by the head whatever the head decides, so that nothing is kept for a sender who is not known (and who waits for
    /// `100 Continue` gets the answer instead).
    ///
    /// After such an answer a small rest of the body is passed over; before a large one, or one of unknown length, the
    /// connection ends: `finish` reads on for a while, so that the answer is not lost to a reset (RFC 9112 §9.6).
    /// - Parameter left: bytes of the body that are not here yet; nil when nobody knows.
    private func askAboutBody(
        _ slot: UInt32, _ request: RequestView, left: Int?, _ input: UnsafeBufferPointer<UInt8>, _ offset: inout Int
    ) -> Bool {
        var question = request
        let isSmall = left.map { $0 <= Self.skippedBytesMax } ?? false
        if !isSmall || request.head.expectsContinue { question.head.keepAlive = false }
        if answer(slot, &question) {
            let (consumed, inputBytesMax) = sessions[slot].reader.admitBody(
                of: request, budget: state.shared.inputBudget)
            offset += consumed
            if let inputBytesMax { loop.inputLimit(slot, bytes: inputBytesMax) }
            if request.head.expectsContinue {
                scratch.write { HTTPResponse.appendContinue(to: &$0) }
                loop.outbox.send(scratch.bytes, to: slot)
            }
        } else {
            offset = input.count
            requestEnded(slot)
            guard sessions[slot].phase == .http else { return false }
            sessions[slot].reader.passBody(left: left ?? 0)
        }
        armDeadline(slot)
        return offset < input.count
    }

    /// Answers a whole request that is no longer among the connection's input.
    private func answer(_ slot: UInt32, _ kept: KeptRequest) {
        _ = kept.withView { answer(slot, &$0) }
        requestEnded(slot)
    }

    /// Answers one request, as far as it is here.
    /// - Returns: whether its body is wanted, which is not here; nothing was sent then.
    private func answer(_ slot: UInt32, _ request: inout RequestView) -> Bool {
        log.asking = request.headBytes
        defer { log.asking = UnsafeBufferPointer(start: nil, count: 0) }
        clock.readWall()
        (request.unixSeconds, request.milliseconds) = (clock.unixSeconds, loop.now.nanoseconds / 1_000_000)
        request.peer = sessions[slot].peer
        scratch.reply.reset()
        defer { routes.forget() }
        var isAnswered = true
        do throws(Refusal) {
            let answer = try routes.answer(request, &scratch.reply)
            if sessions[slot].place != .none, let refusal = judge(slot, answer) { throw refusal }
            switch answer {
            case .reply: respond(slot, request)
            case .body: return true
            case .later:
                isAnswered = false
                postpone(slot, request)
            case .list(let list, let app): try respond(slot, request, with: list, of: app)
            case .webSocket(let key): try openWebSocket(slot, request, key: key)
            }
        } catch {
            let refusal = sessions[slot].place == .none ? error : judge(slot, error)
            refuse(slot, refusal, keepAlive: request.head.keepAlive, omitBody: request.head.method == .head)
        }
        if isAnswered { countCall(request) }
        applyEffects()
        return false
    }

    /// Counts a call of the API that was answered, whatever the answer.
    @inline(__always)
    private func countCall(_ request: RequestView) {
        guard let meter = routes.api.meter else { return }
        meter.pointee.requests &+= 1
        meter.pointee.requestBytes &+= UInt64(truncatingIfNeeded: request.head.headBytes &+ request.body.count)
    }

    private func respond(_ slot: UInt32, _ request: RequestView) {
        log.counts.http.add(routes.asked, status: scratch.reply.status)
        sendReply(slot, keepAlive: request.head.keepAlive, omitBody: request.head.method == .head)
    }

    /// Sends the reply in `scratch`. With `keepAlive` false the connection ends after it.
    func sendReply(_ slot: UInt32, keepAlive: Bool, omitBody: Bool) {
        // Who stays with a server that drains would publish to nobody.
        let keepAlive = keepAlive && !scratch.reply.closes && !upkeep.isDraining
        scratch.writeReply(unixSeconds: clock.unixSeconds, keepAlive: keepAlive, omitBody: omitBody)
        if let meter = routes.api.meter {
            meter.pointee.responseBytes &+= UInt64(truncatingIfNeeded: scratch.bytes.count)
        }
        sendAnswer(slot)
        if !keepAlive { end(slot, .answered, .finish(.none)) }
    }

    /// Whoever speaks plain HTTP where there is only TLS learns so with his first byte.
    func refusePlaintext(_ slot: UInt32) {
        syncTime()
        clock.readWall()
        refuse(slot, .plaintextOnTLS)
        applyEffects()
    }

    // MARK: Limits of addresses

    /// A connection has come whose address is counted.
    /// - Returns: whether it stays.
    func arrive(_ slot: UInt32) -> Bool {
        switch routes.admission.addresses.arrive(&sessions[slot], now: loop.now) {
        case .admitted: return true
        case .toldLater:
            loop.setTimer(slot, afterMilliseconds: silenceMilliseconds(slot))
            return true
        case .cutOff(let refusal):
            refuse(slot, refusal)
            return false
        }
    }

    /// What is answered instead, because the connection is one too many; a WebSocket client is told later.
    private func judge(_ slot: UInt32, _ answer: Answer) -> Refusal? {
        if case .webSocket = answer { return nil }
        return routes.admission.addresses.judge(
            &sessions[slot], isSigned: routes.api.isProven, now: loop.now)
    }

    private func judge(_ slot: UInt32, _ error: Refusal) -> Refusal {
        guard case .status = error.answer, error.address == nil else { return error }
        return routes.admission.addresses.judge(
            &sessions[slot], isSigned: routes.api.isProven, now: loop.now) ?? error
    }

    /// How long it may be without a request.
    private func silenceMilliseconds(_ slot: UInt32) -> UInt32 {
        let keepAlive = state.limits.keepAliveMilliseconds
        return sessions[slot].place.limit == nil ? keepAlive : min(keepAlive, RequestDeadline.requestMilliseconds)
    }

    // MARK: Deadlines

    private func requestEnded(_ slot: UInt32) {
        guard sessions[slot].phase == .http else { return }
        let due = sessions[slot].deadline.ended(
            now: milliseconds, keepAliveMilliseconds: state.limits.keepAliveMilliseconds)
        if let due { loop.setTimer(slot, afterMilliseconds: due) }
    }

    /// Part of a request may be here.
    private func armDeadline(_ slot: UInt32) {
        let awaited = sessions[slot].reader.awaited
        guard awaited != .request, let due = sessions[slot].deadline.began(awaited, now: milliseconds) else { return }
        loop.setTimer(slot, afterMilliseconds: due)
    }

    func checkDeadline(_ slot: UInt32) {
        let action = sessions[slot].deadline.check(
            now: milliseconds, keepAliveMilliseconds: silenceMilliseconds(slot))
        switch action {
        case .wait(let milliseconds): loop.setTimer(slot, afterMilliseconds: milliseconds)
        case .close:
            if let refusal = routes.admission.addresses.judgeSilent(sessions[slot]) { return refuse(slot, refusal) }
            end(slot, .idle, .finishSoon)
        case .refuse(let milliseconds):
            let text = "The request was not whole after \(milliseconds / 1_000) seconds"
            refuse(slot, .unreadable(HTTPFailure(status: 408, text: text)))
        }
    }

    // MARK: Two loops at once

    /// Keeps a whole request for the next turn: another loop is making the same publish, which takes it less than a turn. Until then
    /// nothing more is read from the connection, so that its requests are answered in order.
    private func postpone(_ slot: UInt32, _ request: RequestView) {
        sessions[slot].reader.keep(KeptRequest(copying: request, budget: state.shared.inputBudget))
        // What came with the request in one read stays.
        let limits = state.limits.http
        loop.inputLimit(slot, bytes: LoopOptions().receiveBufferBytes + limits.headBytesMax + limits.bodyBytesMax)
        loop.pauseReading(slot)
        later.postponed.append(slot)
    }

    /// Answers the requests of the last turn that had to wait, or lets them wait for another.
    func answerPostponed() {
        let due = later.postponed
        later.postponed = []
        // Another connection may have a slot by now.
        for slot in due where sessions[slot].reader.isHolding {
            guard let kept = sessions[slot].reader.takeKept() else { continue }
            answer(slot, kept)
            if sessions[slot].phase == .http, !sessions[slot].reader.isHolding { loop.resumeReading(slot) }
        }
    }

    // MARK: Lists that may be long

    /// Answers with a list. What fits into the allowance of one turn is answered with its length, as any call is; a list that finds the
    /// allowance used up by others waits for the next turn's. What does not fit goes out in chunks, each sent as soon as the peer has
    /// taken the last, so that neither the loop nor its memory is held by one caller; until it is whole the peer's next requests are not
    /// read.
    private func respond(
        _ slot: UInt32, _ request: RequestView, with list: LongReply, of app: App
    ) throws(Refusal) {
        var one = LongReplies.Entry(
            slot: slot, isChunked: request.head.minorVersion >= 1, keepAlive: request.head.keepAlive,
            omitsBody: request.head.method == .head, list: list, meter: broker.meter(of: app.index))
        // Those that came before have the first claim on the allowance.
        let isTooLong = later.lists.isEmpty && later.lists.make(&one.list, with: broker)
        if one.list.isWhole {
            swap(&scratch.reply.body, &one.list.text)
            return respond(slot, request)
        }
        guard later.lists.hasRoom(for: one.list) else {
            throw Refusal.http(503, "Too many long lists are being sent; try again soon").about(app)
        }
        log.counts.http.add(routes.asked, status: 200)
        if isTooLong, open(&one) { return endList(slot, keepAlive: one.keepAlive) }
        sessions[slot].debt.replyNumber = later.lists.begin(one)
    }

    /// Sends the head of a reply whose length is not known.
    /// - Returns: whether that was all.
    private func open(_ one: inout LongReplies.Entry) -> Bool {
        scratch.write(unixSeconds: clock.unixSeconds) { date, out in one.writeHead(date, to: &out) }
        one.count(scratch.bytes.count)
        sendAnswer(one.slot)
        return one.omitsBody
    }

    /// Makes and sends the next pieces.
    /// - Returns: whether there is more to do as soon as this turn is flushed.
    func advanceLists() -> Bool {
        var mayAdvance = false
        var (waiting, served): ([LongReplies.Entry], [LongReplies.Entry]) = ([], [])
        let mayMake = later.lists.heldBytes <= LongReplies.heldBytesMax
        for var one in later.lists.take() {
            guard sessions[one.slot].debt.replyNumber == one.number, sessions[one.slot].phase == .http else { continue }
            switch advance(&one, mayMake: mayMake) {
            case .ended: mayAdvance = true
            case .sent:
                mayAdvance = true
                served.append(one)
            case .waits:
                if later.lists.workLeft <= 0 { mayAdvance = true }
                waiting.append(one)
            }
        }
        later.lists.put(waiting: waiting, served: served)
        return mayAdvance
    }

    private enum Advance { case waits, sent, ended }

    private func advance(_ one: inout LongReplies.Entry, mayMake: Bool) -> Advance {
        guard loop.backlogBytes(one.slot) == 0 else { return .waits }
        let isTooLong = mayMake && later.lists.make(&one.list, with: broker)
        if !one.isOpen, one.list.isWhole { return sendWhole(&one) }
        if !one.isOpen {
            // Where all hold too much, what is made is sent.
            guard isTooLong || !mayMake else { return .waits }
            guard !open(&one) else { return ended(one) }
        }
        guard !one.list.text.isEmpty else { return .waits }
        return sendPiece(&one) ? ended(one) : .sent
    }

    /// A list that had to wait for its turn, and is short.
    private func sendWhole(_ one: inout LongReplies.Entry) -> Advance {
        scratch.reply.reset()
        swap(&scratch.reply.body, &one.list.text)
        sessions[one.slot].debt.replyNumber = 0
        sendReply(one.slot, keepAlive: one.keepAlive, omitBody: one.omitsBody)
        one.count(scratch.bytes.count)
        if one.keepAlive { readThrottle.pause(one.slot) }
        return .ended
    }

    /// - Returns: whether it was the last.
    private func sendPiece(_ one: inout LongReplies.Entry) -> Bool {
        var isLast = false
        scratch.write { isLast = one.writePiece(bytesMax: ReadThrottle.answerBytesMax, to: &$0) }
        one.count(scratch.bytes.count)
        loop.outbox.send(scratch.bytes, to: one.slot)
        _ = sessions[one.slot].deadline.ended(
            now: milliseconds, keepAliveMilliseconds: state.limits.keepAliveMilliseconds)
        return isLast
    }

    private func ended(_ one: LongReplies.Entry) -> Advance {
        endList(one.slot, keepAlive: one.keepAlive)
        return .ended
    }

    private func endList(_ slot: UInt32, keepAlive: Bool) {
        sessions[slot].debt.replyNumber = 0
        guard !keepAlive else { return readThrottle.pause(slot) }
        end(slot, .answered, .finishSoon)
    }
}
