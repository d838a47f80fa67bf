internal import BrokerCore
internal import PusherProtocol
internal import Wire

/// Publishes, one event or a batch (Pusher protocol §6.1, §6.2).
extension SignedAPI {
    private func payloadLimits(_ app: App) -> PayloadLimits {
        let limits = app.settings.limits
        return PayloadLimits(
            channelNameBytesMax: limits.channelNameBytesMax, userIDCharactersMax: limits.userIDCharactersMax,
            eventNameCharactersMax: limits.eventNameCharactersMax, eventDataBytesMax: limits.eventDataBytesMax,
            eventChannelsMax: limits.eventChannelsMax, batchEventsMax: limits.batchEventsMax)
    }

    func publish(
        _ request: RequestView, _ app: App, _ query: APIQuery, _ reply: inout HTTPReply
    ) throws(APIError) -> Answer {
        let body = request.body
        let event = try PublishRequest.parse(body: body.span, query: query, limits: payloadLimits(app))
        guard let key = try request.idempotencyKey(inBody: event.idempotencyKey) else {
            try publish(event, body, app, &reply)
            return .reply
        }
        let fingerprint = PublishFingerprint.of(.event, query: query, body: body.span)
        return try once(IdempotencyClaim(key: key, fingerprint: fingerprint), app, &reply) {
            (reply: inout HTTPReply) throws(APIError) in
            try publish(event, body, app, &reply)
        }
    }

    private func publish(
        _ event: PublishRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App, _ reply: inout HTTPReply
    ) throws(APIError) {
        try acquirePublish(app, events: event.channels.count, isBatch: false)
        if isTracing { ConnectionLog.published(event, body, app) }
        guard !event.info.isEmpty else {
            for index in event.channels.indices { broker.publish(app: app, event, channel: index, body: body.span) }
            return APIReply.empty(to: &reply.body)
        }
        var reports: [ChannelReport] = []
        for index in event.channels.indices {
            let audience = broker.publish(app: app, event, channel: index, body: body.span)
            reports.append(report(event, index, audience))
        }
        APIReply.publishInfo(reports, to: &reply.body)
    }

    func publishBatch(
        _ request: RequestView, _ app: App, _ query: APIQuery, _ reply: inout HTTPReply
    ) throws(APIError) -> Answer {
        let body = request.body
        let batch = try BatchRequest.parse(body: body.span, limits: payloadLimits(app))
        if let key = try request.idempotencyKey(inBody: batch.idempotencyKey) {
            let fingerprint = PublishFingerprint.of(.batch, query: query, body: body.span)
            return try once(IdempotencyClaim(key: key, fingerprint: fingerprint), app, &reply) {
                (reply: inout HTTPReply) throws(APIError) in
                try publish(batch, body, app, &reply)
            }
        }
        if batch.events.contains(where: { $0.idempotencyKey != nil }) {
            return try publishKeyed(batch, body, app, &reply)
        }
        try publish(batch, body, app, &reply)
        return .reply
    }

    private func publish(
        _ batch: BatchRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App, _ reply: inout HTTPReply
    ) throws(APIError) {
        try acquirePublish(app, events: batch.events.reduce(0) { $0 + $1.channels.count }, isBatch: true)
        if isTracing { for event in batch.events { ConnectionLog.published(event, body, app) } }
        var reports: [ChannelReport?] = []
        for event in batch.events { reports.append(publish(batched: event, body, app)) }
        if batch.hasInfo { APIReply.batchInfo(reports, to: &reply.body) } else { APIReply.empty(to: &reply.body) }
    }

    /// Publishes one event of a batch.
    /// - Returns: what it asked to be told.
    func publish(batched event: PublishRequest, _ body: UnsafeBufferPointer<UInt8>, _ app: App) -> ChannelReport? {
        var first: ChannelReport?
        for index in event.channels.indices {
            let audience = broker.publish(app: app, event, channel: index, body: body.span)
            if index == 0, !event.info.isEmpty { first = report(event, index, audience) }
        }
        return first
    }

    private func report(_ event: PublishRequest, _ index: Int, _ audience: LoopBroker.Audience) -> ChannelReport {
        let channel = event.channels[index]
        return ChannelReport(
            name: Array(event.storage[channel.name]),
            userCount: event.info.contains(.userCount) && channel.kind.isPresence ? audience.users : nil,
            subscriptionCount: event.info.contains(.subscriptionCount) ? audience.subscriptions : nil)
    }
}
