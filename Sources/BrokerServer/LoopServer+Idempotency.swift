internal import BrokerCore
internal import PusherProtocol
internal import Reactor
internal import Wire

/// Publishes that may be repeated: one with a key is made once in two minutes, and each repetition gets its answer.
///
/// The key of a request is its `X-Idempotency-Key` header or its body's `idempotency_key`; in a batch without one, each event may have its
/// own, as sockudo's libraries send them. Only what succeeded is remembered. A repetition takes nothing from the app's publish rates and
/// quotas, because it publishes nothing, and one from its reads, so that it has a rate too.
extension LoopServer {
    /// How a publish ended when it was not refused; the answer is in `reply`.
    enum PublishOutcome {
        case published
        /// Nothing new was published.
        case replayed
        /// Another loop is making the same publish at this moment.
        case underWay
    }

    /// Answers a publish, now or in the next turn.
    func respond(_ slot: UInt32, to outcome: PublishOutcome, _ request: RequestView) {
        switch outcome {
        case .published: respondReply(slot, for: request)
        case .replayed: respondReply(slot, extraHeaders: "X-Idempotency-Replayed: true\r\n", for: request)
        case .underWay: postpone(slot, request)
        }
    }

    /// Makes a publish unless its key says that it has been made.
    func once(
        _ claim: IdempotencyClaim, _ app: App, _ publish: () throws(APIError) -> Void
    ) throws(APIError) -> PublishOutcome {
        switch broker.claim([claim], app: app) {
        case .conflict: throw Self.conflict("the idempotency key")
        case .underWay: return .underWay
        case .claimed(let claimed):
            guard case .new(let ticket) = claimed[0] else {
                try replay(claimed[0], app)
                return .replayed
            }
            do throws(APIError) { try publish() } catch {
                broker.abandon(claimed)
                throw error
            }
            broker.settle([(ticket, reply)])
            return .published
        }
    }

    private func replay(_ claimed: IdempotencyOutcome.Claimed, _ app: App) throws(APIError) {
        try acquireRead(app)
        if case .answered(let answer) = claimed { reply = answer }
    }

    /// Publishes those events of a batch that have no key or one that is new; the answers of the others are the ones they got.
    func publishKeyed(
        _ batch: BatchRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App
    ) throws(APIError) -> PublishOutcome {
        let keyed = batch.events.indices.filter { batch.events[$0].idempotencyKey != nil }
        var claims: [IdempotencyClaim] = [], known: Set<IdempotencyKey> = []
        for index in keyed {
            let event = batch.events[index]
            guard let key = event.idempotencyKey else { continue }
            guard known.insert(key).inserted else {
                throw APIError(
                    status: 400, text: "\"batch[\(index)].idempotency_key\": an earlier event of the batch has the same"
                )
            }
            let fingerprint = PublishFingerprint.of(item: body.extracting(event.place).span)
            claims.append(IdempotencyClaim(key: key, fingerprint: fingerprint))
        }
        switch broker.claim(claims, app: app) {
        case .conflict(let index): throw Self.conflict("\"batch[\(keyed[index])].idempotency_key\"")
        case .underWay: return .underWay
        case .claimed(let claimed):
            let isKnown = claimed.map { if case .answered = $0 { true } else { false } }
            let repeated = Set(keyed.indices.filter { isKnown[$0] }.map { keyed[$0] })
            do throws(APIError) {
                if !repeated.isEmpty { try acquireRead(app) }
                let new = batch.events.indices.filter { !repeated.contains($0) }
                if !new.isEmpty {
                    try acquirePublish(app, events: new.reduce(0) { $0 + batch.events[$1].channels.count })
                }
            } catch {
                broker.abandon(claimed)
                throw error
            }
            publish(batch, body, app, claimed: Dictionary(uniqueKeysWithValues: zip(keyed, claimed)))
            return repeated.count == batch.events.count ? .replayed : .published
        }
    }

    /// - Parameter claimed: what became of the claim of each event that has a key, by the event's index.
    private func publish(
        _ batch: BatchRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App,
        claimed: [Int: IdempotencyOutcome.Claimed]
    ) {
        var items: [[UInt8]] = [], settled: [(IdempotencyTicket, [UInt8])] = []
        for (index, event) in batch.events.enumerated() {
            if case .answered(let item) = claimed[index] {
                items.append(item)
                continue
            }
            var item: [UInt8] = []
            APIReply.batchItem(publish(batched: event, body, app), to: &item)
            if case .new(let ticket) = claimed[index] { settled.append((ticket, item)) }
            items.append(item)
        }
        broker.settle(settled.map { (ticket: $0.0, answer: $0.1) })
        if batch.hasInfo { APIReply.batchInfo(items: items, to: &reply) } else { APIReply.empty(to: &reply) }
    }

    private static func conflict(_ field: String) -> APIError {
        APIError(
            status: 409, text: "\(field) was used for another publish within the last 120 seconds: choose a new one")
    }

    // MARK: Two loops at once

    /// Keeps a whole request for the next turn: another loop is making the same publish, which takes it less than a turn. Until then
    /// nothing more is read from the connection, so that its requests are answered in order.
    private func postpone(_ slot: UInt32, _ request: RequestView) {
        sessions[slot].chunked = ChunkedRequest(
            bytes: Array(request.bytes[..<request.head.headBytes]), head: request.head, body: Array(request.body),
            budget: state.inputBudget)
        sessions[slot].isPostponed = true
        // What came with the request in one read stays.
        loop.inputLimit(
            slot, bytes: LoopOptions().receiveBufferBytes + httpLimits.headBytesMax + httpLimits.bodyBytesMax)
        loop.pauseReading(slot)
        postponed.append(slot)
    }

    /// Answers the requests of the last turn that had to wait, or lets them wait for another.
    func answerPostponed() {
        let due = postponed
        postponed = []
        // Another connection may have a slot by now.
        for slot in due where sessions[slot].isPostponed {
            sessions[slot].isPostponed = false
            guard let request = sessions[slot].chunked else { continue }
            sessions[slot].chunked = nil
            answer(slot, request)
            if sessions[slot].phase == .http, !sessions[slot].isPostponed { loop.resumeReading(slot) }
        }
    }
}

extension RequestView {
    /// The key of a publish, if it has one; throws 400 when it is malformed or the two places differ.
    func idempotencyKey(inBody given: IdempotencyKey?) throws(APIError) -> IdempotencyKey? {
        guard let header = head.idempotencyKey else { return given }
        return try IdempotencyKey.of(header: slice(header).span, body: given)
    }
}
