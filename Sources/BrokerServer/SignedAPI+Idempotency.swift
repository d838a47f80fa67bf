internal import BrokerCore
internal import PusherProtocol
internal import Wire

/// Publishes that may be repeated: one with a key is made once in two minutes, and each repetition gets its answer.
///
/// The key of a request is its `X-Idempotency-Key` header or its body's `idempotency_key`; in a batch without one, each event may have its
/// own, as sockudo's libraries send them. Only what succeeded is remembered. A repetition takes nothing from the app's publish rates and
/// quotas, because it publishes nothing, and one from its reads, so that it has a rate too.
extension SignedAPI {
    private static let replayed = "X-Idempotency-Replayed: true\r\n"

    /// Makes a publish unless its key says that it has been made.
    func once(
        _ claim: IdempotencyClaim, _ app: App, _ reply: inout HTTPReply,
        _ publish: (inout HTTPReply) throws(APIError) -> Void
    ) throws(APIError) -> Answer {
        switch broker.claim([claim], app: app) {
        case .conflict: throw Self.conflict("the idempotency key")
        case .underWay: return .later
        case .claimed(let claimed):
            guard case .new(let ticket) = claimed[0] else {
                try replay(claimed[0], app, &reply)
                return .reply
            }
            do throws(APIError) { try publish(&reply) } catch {
                broker.abandon(claimed)
                throw error
            }
            broker.settle([(ticket, reply.body)])
            return .reply
        }
    }

    private func replay(
        _ claimed: IdempotencyOutcome.Claimed, _ app: App, _ reply: inout HTTPReply
    ) throws(APIError) {
        try acquireRead(app)
        reply.headers = Self.replayed
        if case .answered(let answer) = claimed { reply.body = answer }
    }

    /// Publishes those events of a batch that have no key or one that is new; the answers of the others are the ones they got.
    func publishKeyed(
        _ batch: BatchRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App, _ reply: inout HTTPReply
    ) throws(APIError) -> Answer {
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
        case .underWay: return .later
        case .claimed(let claimed):
            let isKnown = claimed.map { if case .answered = $0 { true } else { false } }
            let repeated = Set(keyed.indices.filter { isKnown[$0] }.map { keyed[$0] })
            do throws(APIError) {
                if !repeated.isEmpty { try acquireRead(app) }
                let new = batch.events.indices.filter { !repeated.contains($0) }
                if !new.isEmpty {
                    try acquirePublish(
                        app, events: new.reduce(0) { $0 + batch.events[$1].channels.count }, isBatch: true)
                }
            } catch {
                broker.abandon(claimed)
                throw error
            }
            publish(batch, body, app, claimed: Dictionary(uniqueKeysWithValues: zip(keyed, claimed)), &reply)
            // Nothing new was published.
            if repeated.count == batch.events.count { reply.headers = Self.replayed }
            return .reply
        }
    }

    /// - Parameter claimed: what became of the claim of each event that has a key, by the event's index.
    private func publish(
        _ batch: BatchRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App,
        claimed: [Int: IdempotencyOutcome.Claimed], _ reply: inout HTTPReply
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
        if batch.hasInfo { APIReply.batchInfo(items: items, to: &reply.body) } else { APIReply.empty(to: &reply.body) }
    }

    private static func conflict(_ field: String) -> APIError {
        APIError(
            status: 409, text: "\(field) was used for another publish within the last 120 seconds: choose a new one")
    }
}

extension RequestView {
    /// The key of a publish, if it has one; throws 400 when it is malformed or the two places differ.
    func idempotencyKey(inBody given: IdempotencyKey?) throws(APIError) -> IdempotencyKey? {
        guard let header = head.idempotencyKey else { return given }
        return try IdempotencyKey.of(header: slice(header).span, body: given)
    }
}
