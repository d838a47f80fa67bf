internal import Configuration
internal import BrokerCore
internal import Reactor
internal import Wire

/// The unsigned endpoints for people, load balancers and orchestrators (Pusher protocol §6.10, PW-185).
extension LoopServer {
    func answerOperation(_ slot: UInt32, _ request: RequestView, _ operation: Route.Operation) {
        switch operation {
        case .root, .live: text(slot, request, status: 200, "OK")
        case .ready:
            let isReady = state.isServing && !state.isDraining
            if isReady {
                text(slot, request, status: 200, "OK")
            } else {
                respondError(slot, status: 503, "Not taking traffic: starting or shutting down", for: request)
            }
        case .up: json(slot, request, status: 200, #"{"health":"OK"}"#)
        case .upApp(let id):
            let raw = request.slice(id)
            guard let decoded = Percent.decode(raw.span), let app = state.broker.app(id: decoded.span) else {
                return respondError(slot, status: 404, "No app has this id", for: request)
            }
            guard app.settings.isEnabled else {
                return respondError(slot, status: 503, "The app is disabled", for: request)
            }
            json(slot, request, status: 200, #"{"health":"OK"}"#)
        case .usage:
            let now = memory.read(milliseconds: loop.now.nanoseconds / 1_000_000)
            json(
                slot, request, status: 200,
                #"{"memory":{"free":\#(now.freeBytes),"used":\#(now.usedBytes),"total":\#(now.totalBytes),"#
                    + #""percent":\#(now.percentText)}}"#)
        case .acceptTraffic:
            let now = memory.read(milliseconds: loop.now.nanoseconds / 1_000_000)
            let isBelow = now.usedBytes * 100 < now.totalBytes * state.settings.memoryThresholdPercent
            json(
                slot, request, status: isBelow ? 200 : 500,
                #"{"memory":{"usedSize":\#(now.usedBytes),"totalSize":\#(now.totalBytes),"#
                    + #""percentUsage":\#(now.percentText)}}"#)
        }
    }

    private func text(_ slot: UInt32, _ request: RequestView, status: Int, _ body: String) {
        send(slot, request, status: status, contentType: "text/plain; charset=utf-8", body)
    }

    private func json(_ slot: UInt32, _ request: RequestView, status: Int, _ body: String) {
        send(slot, request, status: status, contentType: "application/json", body)
    }

    private func send(
        _ slot: UInt32, _ request: RequestView, status: Int, contentType: StaticString, _ body: String
    ) {
        let bytes = Array(body.utf8)
        respond(
            slot, status: status, contentType: contentType, body: bytes.span, keepAlive: request.head.keepAlive,
            omitBody: request.head.method == .head)
    }
}
