internal import Configuration
internal import PusherProtocol
internal import Reactor
internal import Wire

/// One refusal: what the peer is told, how, and what the operator reads. `LoopServer.refuse` carries it out.
struct Refusal: Error, Equatable {
    /// How the peer is told.
    enum Answer: Equatable {
        /// By an HTTP answer, with further header lines; `closes`: the connection ends after it, whatever the client wants.
        case status(Int, headers: String = "", closes: Bool = false)
        /// By `pusher:error` and the close frame of the same code.
        case error(PusherErrorCode)
        /// By a close frame alone: it does not speak WebSocket as RFC 6455 has it.
        case closeFrame(code: UInt16)
        /// What waits for it is dropped; a WebSocket client is told by `error`, another not at all.
        case cutOff(PusherErrorCode?)
        /// It was told by the broker, with the code if there was one, or it is gone.
        case given(code: Int?)
    }

    /// Names the line and the counter.
    var kind: RefusalKind
    var answer: Answer
    /// For the peer, and for the operator where `logged` is nil. No secret and no expected signature.
    var text: String
    /// For the operator, when the peer is told less.
    var logged: String?
    /// The app that was named, by index; nil until that is known.
    var app: Int?
    /// The channel that it is about, as it came; empty for none.
    var channel: [UInt8] = []
    /// What waited for a peer that does not keep up.
    var backlogBytes: Int?
    /// The limit of its address that it is above.
    var address: OfAddress?

    struct OfAddress: Equatable {
        var limit: AddressLimit
        var block: AddressBlock
        /// How many connections of it were refused so far.
        var count: Int
    }

    /// `code=` in the log.
    var code: Int? {
        switch answer {
        case .status(let status, _, _): status
        case .error(let code): Int(code.rawValue)
        case .closeFrame(let code): Int(code)
        case .cutOff(let code): code.map { Int($0.rawValue) }
        case .given(let code): code
        }
    }
}

extension Refusal {
    /// An HTTP request is refused.
    static func http(
        _ status: Int, _ text: String, logged: String? = nil, headers: String = "", closes: Bool = false,
        isHandshake: Bool = false
    ) -> Refusal {
        Refusal(
            kind: isHandshake ? .handshake : .http(status: status),
            answer: .status(status, headers: headers, closes: closes), text: text, logged: logged)
    }

    /// A request that cannot be read: where the next one starts is unknown.
    static func unreadable(_ failure: HTTPFailure) -> Refusal { .http(failure.status, failure.text, closes: true) }

    /// TLS where there is none: some client was told the wrong scheme or port.
    static func tlsOnPlaintext(_ settings: ServerSettings) -> Refusal {
        // With a proxy that speaks TLS in front, nobody but the proxy should come here, and a client must not give up TLS.
        let advice =
            if settings.tls.isOn {
                "TLS has a port of its own (tls.port)"
            } else if settings.trustsProxy || settings.publicAddress.scheme == .https {
                "the proxy in front must speak plain HTTP to it, and clients TLS to the proxy"
            } else {
                "set forceTLS: false (useTLS: false) in the client, or give the server a certificate (tls.certificate)"
            }
        return Refusal(
            kind: .tls, answer: .status(400, closes: true), text: "This port speaks plain HTTP and WebSocket, not TLS",
            logged: "somebody spoke TLS to the plaintext port \(settings.port); \(advice)")
    }

    /// Plain HTTP where there is only TLS.
    static var plaintextOnTLS: Refusal {
        Refusal(
            kind: .tls, answer: .status(400, closes: true),
            text: "This port speaks TLS only: use https and wss (forceTLS: true, useTLS: true)",
            logged:
                "somebody spoke plain HTTP to a port that has TLS only; set forceTLS: true (useTLS: true) in the client"
        )
    }

    /// A call of the API is refused; who is too fast is told when to come again.
    static func api(_ error: APIError) -> Refusal {
        .http(error.status, error.text, headers: error.status == 429 ? retryAfterASecond : "")
    }

    /// A client is not let in. After the upgrade, because browsers cannot see an HTTP status.
    static func handshake(_ code: PusherErrorCode, _ text: String? = nil) -> Refusal {
        Refusal(kind: .handshake, answer: .error(code), text: text ?? code.text)
    }

    /// Bytes that are no WebSocket frame.
    static func frames(_ failure: WebSocketFailure) -> Refusal {
        Refusal(kind: .webSocket, answer: .closeFrame(code: failure.closeCode), text: failure.text)
    }

    /// Neither signed in nor in a private channel in time (PW-122).
    static var unauthorized: Refusal {
        Refusal(
            kind: .authorization, answer: .error(.unauthorized), text: "Connection not authorized within timeout",
            logged: "neither signed in nor in a private channel in time")
    }

    /// Everybody together holds too much that is not whole: the caller comes again in a second, the client as its library does.
    static func inputTotal(isWebSocket: Bool) -> Refusal {
        let logged = "inputTotalBytes is used up by requests and messages that are not whole"
        guard isWebSocket else {
            return .http(
                503, "The server receives too many requests at once; try again in a second", logged: logged,
                headers: retryAfterASecond, closes: true)
        }
        return Refusal(
            kind: .limit, answer: .error(.overCapacity), text: PusherErrorCode.overCapacity.text, logged: logged)
    }

    /// A client that comes while the process has passed `memory.limit`: it comes again later, as its library does.
    static var shortOfMemory: Refusal {
        .handshake(.overCapacity, "The server is short of memory and takes no more connections: reconnect later")
    }

    /// A call of the API meanwhile.
    static var shortOfMemoryForCalls: Refusal {
        .http(
            503, "The server is short of memory; try again in a second",
            logged: "the memory of the process passed memory.limit", headers: retryAfterASecond)
    }

    /// The peer does not keep up (PW-180).
    static func slowConsumer(isWebSocket: Bool, backlogBytes: Int, _ cause: Overflow.Cause) -> Refusal {
        let logged =
            switch cause {
            case .connection: "the unsent backlog passed backlogBytes"
            case .backlogs: "all unsent backlogs together passed backlogTotalBytes, and it held most"
            case .memory: "the memory of the process passed memory.limit, and it held most"
            }
        return Refusal(
            kind: .slowConsumer, answer: .cutOff(isWebSocket ? .overCapacity : nil),
            text: "Too slow: the unsent backlog passed its limit",
            logged: logged, backlogBytes: backlogBytes)
    }

    /// A connection that the kernel ended otherwise than in good order.
    init?(_ why: TransportClose) {
        switch why {
        case .timeout, .overflow, .error: kind = .transport
        case .tooSlow: kind = .slowConsumer
        case .peerClosed, .reset, .local: return nil
        }
        (answer, text) = (.given(code: nil), EndCause.transport(why).text)
    }

    private static let retryAfterASecond = "Retry-After: 1\r\n"
}
