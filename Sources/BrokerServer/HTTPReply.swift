internal import BrokerCore
internal import PusherProtocol
internal import Wire

/// The answer to one request, as a value: a route fills it and never sees a connection.
///
/// Each loop has one whose storage is used again, so that an answer costs no allocation.
struct HTTPReply {
    var status = 200
    /// Nil: there is no body.
    var contentType: StaticString? = "application/json"
    /// Further header lines, each ending in CR LF.
    var headers = ""
    /// With the lines of `crossOrigin`.
    var isCrossOrigin = true
    /// The connection ends after it, whatever the client wants.
    var closes = false
    var body: [UInt8] = []

    /// Cosmetic, as soketi sends them: the API must never be called from a browser, because that takes the secret.
    static let crossOrigin =
        "Access-Control-Allow-Origin: *\r\n"
        + "Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
        + "Access-Control-Allow-Headers: Origin, Content-Type, X-Auth-Token, X-Requested-With, Accept, "
        + "Authorization, X-CSRF-TOKEN, XSRF-TOKEN, X-Socket-Id\r\n"

    /// An empty 200 in the storage of the last one.
    mutating func reset() {
        status = 200
        contentType = "application/json"
        headers = ""
        (isCrossOrigin, closes) = (true, false)
        body.removeAll(keepingCapacity: true)
    }

    /// What people and machines ask for without a signature.
    mutating func set(status: Int = 200, contentType: StaticString, _ text: String) {
        (self.status, self.contentType, isCrossOrigin) = (status, contentType, false)
        body.append(contentsOf: text.utf8)
    }

    /// `{"error":…,"code":…}` with the real status (PW-138).
    mutating func set(error status: Int, _ text: String, headers: String, closes: Bool) {
        reset()
        (self.status, self.headers, self.closes) = (status, headers, closes)
        APIReply.error(status: status, text: text, to: &body)
    }

    /// All header lines that the routes decide.
    var allHeaders: String {
        guard isCrossOrigin else { return headers }
        return headers.isEmpty ? Self.crossOrigin : Self.crossOrigin + headers
    }
}

/// What a route makes of a request when it does not refuse it.
enum Answer {
    /// The answer is in the reply.
    case reply
    /// The head is in order: ask again with the body.
    case body
    /// Another loop is making the same publish at this moment: ask again in the next turn.
    case later
    /// A list that may be longer than a turn.
    case list(LongReply, of: App)
    /// The connection becomes a WebSocket, if `Admission` lets the client in.
    case webSocket(key: Range<Int>)
}

/// Answers the requests of one route or of several: a value that another module can supply. It has no connection, no clock and no log: the
/// request has the time, and a refusal is thrown.
typealias RouteHandler = (RequestView, inout HTTPReply) throws(Refusal) -> Answer
