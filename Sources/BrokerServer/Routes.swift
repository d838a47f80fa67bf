internal import Configuration
internal import BrokerCore
internal import PusherProtocol
internal import Wire

/// From a whole request to its answer: finds the route, checks what all routes have in common, and asks the route. One per loop; it knows
/// no connection.
struct Routes {
    let state: LoopState
    let api: SignedAPI
    let admission: Admission
    var operations: Operations
    /// What the request that is being answered asks for.
    private(set) var asked = HTTPCounts.Name.unreadable

    init(state: LoopState, broker: LoopBroker, isTracing: Bool) {
        self.state = state
        api = SignedAPI(state: state, broker: broker, isTracing: isTracing)
        admission = Admission(state: state)
        operations = Operations(state: state)
    }

    /// - Parameter reply: fresh; filled where the answer is `.reply`.
    mutating func answer(_ request: RequestView, _ reply: inout HTTPReply) throws(Refusal) -> Answer {
        let input = request.bytes
        let route = Route.parse(request.head.path, in: input.span, prefix: state.pathPrefix)
        asked = HTTPCounts.Name(route)
        api.forget()
        if case .unknown = route {
            let hint = PathHint.text(request.head.path, in: input.span, prefix: state.pathPrefix)
            throw .http(404, "404 NOT FOUND: \(hint)", isHandshake: request.head.upgradesToWebSocket)
        }
        if request.head.method == .options {
            (reply.status, reply.contentType) = (204, nil)
            return .reply
        }
        try Self.checkCommon(request, route)
        switch route {
        case .webSocket(let key): return try admission.upgrade(request, key: key)
        case .operation(let operation): return try operations.answer(operation, request, &reply)
        case .api(let app, let call):
            try state.shared.memory.admitCall()
            return try api.answer(request, app: app, call, &reply)
        case .terminateByKey(let user):
            try state.shared.memory.admitCall()
            return try api.answerTerminateByKey(request, user: user, &reply)
        case .unknown: preconditionFailure("what is unknown was refused above")
        }
    }

    /// The request has been answered.
    mutating func forget() {
        asked = .unreadable
        api.forget()
    }

    @inline(__always)
    private static func checkCommon(_ request: RequestView, _ route: Route) throws(Refusal) {
        guard route.allows(request.head.method) else {
            let allowed = route.allowedMethods
            let method = request.text(request.head.methodRange) ?? ""
            throw .http(
                405, "\(method) is not allowed here; use \(allowed)", headers: "Allow: \(allowed)\r\n")
        }
        if let coding = request.text(request.head.contentEncoding), coding.lowercased() != "identity" {
            throw .http(415, "Content-Encoding \(coding) is not supported; send the body as it is")
        }
    }
}
