internal import BrokerCore
internal import PusherProtocol
internal import Wire

/// From a whole request to its route; what every answer of the HTTP side has in common.
extension LoopServer {
    /// Cosmetic, as soketi sends them: the API must never be called from a browser, because that takes the secret.
    static let crossOrigin =
        "Access-Control-Allow-Origin: *\r\n"
        + "Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
        + "Access-Control-Allow-Headers: Origin, Content-Type, X-Auth-Token, X-Requested-With, Accept, "
        + "Authorization, X-CSRF-TOKEN, XSRF-TOKEN, X-Socket-Id\r\n"

    func answer(_ slot: UInt32, _ request: RequestView) {
        asking = Asking(head: request.bytes.extracting(0..<request.head.headBytes))
        defer { asking = Asking() }
        readWallClock()
        let input = request.bytes
        let path = request.head.path
        let route = Route.parse(path, in: input.span, prefix: state.pathPrefix)
        if case .unknown(let hint) = route {
            asking.isHandshake = request.head.upgradesToWebSocket
            return respondError(slot, status: 404, "404 NOT FOUND: \(hint)", for: request)
        }
        if request.head.method == .options {
            let empty: [UInt8] = []
            return respond(
                slot, status: 204, contentType: nil, extraHeaders: Self.crossOrigin, body: empty.span,
                keepAlive: request.head.keepAlive)
        }
        guard route.allows(request.head.method) else {
            let allowed = route.allowedMethods
            let method = request.text(request.head.methodRange) ?? ""
            return respondError(
                slot, status: 405, "\(method) is not allowed here; use \(allowed)",
                extraHeaders: "Allow: \(allowed)\r\n", for: request)
        }
        if let coding = request.text(request.head.contentEncoding), coding.lowercased() != "identity" {
            return respondError(
                slot, status: 415, "Content-Encoding \(coding) is not supported; send the body as it is", for: request)
        }
        switch route {
        case .webSocket(let key): answerWebSocket(slot, request, key: key)
        case .operation(let operation): answerOperation(slot, request, operation)
        case .api(let app, let call): answerAPI(slot, request, app: app, call)
        case .terminateByKey(let user): answerTerminateByKey(slot, request, user: user)
        case .unknown: break
        }
    }

    /// Sends the JSON in `reply` with 200.
    func respondReply(_ slot: UInt32, extraHeaders: String = "", for request: RequestView) {
        let body = reply
        respond(
            slot, status: 200, contentType: "application/json",
            extraHeaders: extraHeaders.isEmpty ? Self.crossOrigin : Self.crossOrigin + extraHeaders, body: body.span,
            keepAlive: request.head.keepAlive, omitBody: request.head.method == .head)
    }

    /// Refuses a whole request; `closes`: and ends the connection, whatever the client wants.
    func respondError(
        _ slot: UInt32, status: Int, _ text: String, logged: String? = nil, extraHeaders: String = "",
        for request: RequestView, closes: Bool = false
    ) {
        respondError(
            slot, status: status, text, logged: logged, extraHeaders: extraHeaders,
            keepAlive: request.head.keepAlive && !closes, omitBody: request.head.method == .head)
    }

    /// `{"error":…,"code":…}` with the real status (PW-138), and the refusal's line in the log. For a whole request use the one above: an
    /// answer to HEAD has no body.
    /// - Parameter logged: what the operator reads when the caller is told less.
    func respondError(
        _ slot: UInt32, status: Int, _ text: String, logged: String? = nil, extraHeaders: String = "", keepAlive: Bool,
        omitBody: Bool = false
    ) {
        logRefusal(asking.isHandshake ? .handshake : .http(status: status), slot, code: status, logged ?? text)
        var body: [UInt8] = []
        APIReply.error(status: status, text: text, to: &body)
        respond(
            slot, status: status, contentType: "application/json", extraHeaders: Self.crossOrigin + extraHeaders,
            body: body.span, keepAlive: keepAlive, omitBody: omitBody)
    }
}
