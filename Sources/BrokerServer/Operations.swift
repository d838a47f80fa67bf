internal import BrokerCore
internal import Configuration
internal import Wire

/// The unsigned endpoints for people, load balancers and orchestrators (Pusher protocol §6.10, PW-185). One per loop.
struct Operations {
    private let state: LoopState
    private var memory = MemoryGauge()

    init(state: LoopState) { self.state = state }

    mutating func answer(
        _ operation: Route.Operation, _ request: RequestView, _ reply: inout HTTPReply
    ) throws(Refusal) -> Answer {
        switch operation {
        case .root, .live: Self.ok(&reply)
        case .ready:
            guard state.shared.isServing, !state.shared.isDraining else {
                throw .http(503, "Not taking traffic: starting or shutting down")
            }
            // Balancers shall send to others whom this one would send away. Who is here is served, so that it is up and alive.
            guard !state.shared.memory.isShort else {
                throw .http(503, "Not taking traffic: short of memory (memory.limit)")
            }
            Self.ok(&reply)
        case .up: Self.healthy(&reply)
        case .upApp(let id):
            try checkApp(request.slice(id))
            Self.healthy(&reply)
        case .usage: usage(request, &reply)
        case .acceptTraffic: acceptTraffic(request, &reply)
        }
        return .reply
    }

    private static func ok(_ reply: inout HTTPReply) { reply.set(contentType: "text/plain; charset=utf-8", "OK") }

    private static func healthy(_ reply: inout HTTPReply) {
        reply.set(contentType: "application/json", #"{"health":"OK"}"#)
    }

    private func checkApp(_ id: UnsafeBufferPointer<UInt8>) throws(Refusal) {
        guard let decoded = Percent.decode(id.span), let app = state.app(id: decoded.span) else {
            throw .http(404, "No app has this id")
        }
        guard app.settings.isEnabled else { throw .http(503, "The app is disabled") }
    }

    private mutating func usage(_ request: RequestView, _ reply: inout HTTPReply) {
        let now = memory.read(milliseconds: request.milliseconds)
        reply.set(
            contentType: "application/json",
            #"{"memory":{"free":\#(now.freeBytes),"used":\#(now.usedBytes),"total":\#(now.totalBytes),"#
                + #""percent":\#(now.percentText)}}"#)
    }

    private mutating func acceptTraffic(_ request: RequestView, _ reply: inout HTTPReply) {
        let now = memory.read(milliseconds: request.milliseconds)
        let isBelow = now.usedBytes * 100 < now.totalBytes * state.settings.memoryThresholdPercent
        reply.set(
            status: isBelow ? 200 : 500, contentType: "application/json",
            #"{"memory":{"usedSize":\#(now.usedBytes),"totalSize":\#(now.totalBytes),"#
                + #""percentUsage":\#(now.percentText)}}"#)
    }
}
