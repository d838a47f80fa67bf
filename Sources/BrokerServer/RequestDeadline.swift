/// How long an HTTP connection may wait for its next request, and a request until it is whole.
///
/// Times are milliseconds of the loop's clock, truncated: only differences mean something. Loop thread only.
struct RequestDeadline: Equatable {
    enum Action: Equatable {
        /// Nothing is due: look again after so long, which is more than 0.
        case wait(milliseconds: UInt32)
        /// The request has not become whole in time: 408.
        case refuse(afterMilliseconds: UInt32)
        /// Close without a word: what is said unasked would be taken for the answer to the next request.
        case close
    }

    /// What the connection waits for.
    enum Awaited: Equatable {
        /// A request's first byte.
        case request
        /// The rest of a request.
        case rest
        /// The end of a body that nobody wants: its request has had its answer.
        case unwantedBody
    }

    /// A request must be whole so long after its first byte, or who dribbles requests would hold connections for nothing.
    static let requestMilliseconds: UInt32 = 8_000

    private(set) var awaited = Awaited.request
    /// Some request has had its answer.
    private(set) var hasAnswered = false
    private var sinceMilliseconds: UInt32

    /// A connection from its first moment.
    init(now: UInt32) { sinceMilliseconds = now }

    /// Part of a request is here, or of a body to be passed over. The clock starts with the first part.
    /// - Returns: when to look, if that is not known already.
    mutating func began(_ awaited: Awaited, now: UInt32) -> UInt32? {
        guard self.awaited != awaited else { return nil }
        (self.awaited, sinceMilliseconds) = (awaited, now)
        return Self.requestMilliseconds
    }

    /// A request has had its answer, or more of it.
    /// - Returns: when to look, if the time set for the request would be too late. One that is early sets itself anew.
    @inline(__always)
    mutating func ended(now: UInt32, keepAliveMilliseconds: UInt32) -> UInt32? {
        let wasReceiving = awaited != .request
        (awaited, sinceMilliseconds) = (.request, now)
        hasAnswered = true
        return wasReceiving ? keepAliveMilliseconds : nil
    }

    /// What is due now.
    func check(now: UInt32, keepAliveMilliseconds: UInt32) -> Action {
        let age = now &- sinceMilliseconds
        let limit = awaited == .request ? keepAliveMilliseconds : Self.requestMilliseconds
        guard age >= limit else { return .wait(milliseconds: limit - age) }
        return awaited == .rest ? .refuse(afterMilliseconds: limit) : .close
    }
}
