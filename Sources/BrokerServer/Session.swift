internal import Reactor
internal import Wire

/// What the server keeps of one client besides the broker's record: where it is in its life, and what is half received.
///
/// `http → webSocket → ending`; an API connection stays in `http` until it ends. `SessionTable` holds one for each slot.
struct Session {
    enum Phase: UInt8 { case free, http, webSocket, ending }

    var phase = Phase.free
    /// A WebSocket ping was sent and nothing has been heard since.
    var isProbed = false
    /// `100 Continue` was sent for the request that is being received.
    var hasContinued = false
    /// Part of a request is buffered; `sinceMilliseconds` says since when.
    var isReceiving = false
    /// The head of the request that is being received was found signed, so that its body may be kept.
    var isBodyAdmitted = false
    /// Input waits until the answers to what came before have been taken; see `ReadThrottle`.
    var isPaused = false
    /// The long reply that is under way; 0 for none. See `LoopServer+LongReplies`.
    var replyNumber: UInt32 = 0
    /// The request or frame that is being received has at least this many bytes; not worth a look before.
    var bytesAwaited = 0
    /// A whole request waits in `chunked` for another loop that has begun the same publish; see `postpone`.
    var isPostponed = false
    /// What is still to come of the body of a request that was answered by its head.
    var bytesToSkip = 0
    /// What the budget of unfinished input has given for `receiver.assembly`.
    var assemblyBytesHeld = 0
    /// Loop time, truncated: the last byte heard, and when the present phase or request began.
    var heardMilliseconds: UInt32 = 0
    var sinceMilliseconds: UInt32 = 0
    /// When it was opened or upgraded, in seconds of the loop's clock.
    var beganSeconds: UInt32 = 0
    /// Whom the log names: the TCP peer, or the client a trusted proxy speaks for.
    var peer = PeerAddress()
    /// Bytes of answers since the kernel had last taken all of them.
    var owedBytes: UInt32 = 0
    /// `EventLoop.drainedBytes` when the heartbeat last looked.
    var drainedBytes: UInt32 = 0
    var receiver = WebSocketReceiver()
    var chunked: ChunkedRequest?

    /// A slot that nobody has.
    init() {}

    /// A connection from its first moment, when it owes nothing: the clock of a request starts at its first byte.
    init(openedMilliseconds: UInt32, peer: PeerAddress) {
        self.peer = peer
        phase = .http
        (heardMilliseconds, sinceMilliseconds) = (openedMilliseconds, openedMilliseconds)
    }
}

/// A request that cannot stay among the connection's input: its body comes in chunks, so that the head's bytes are consumed before the
/// body is whole, or it is answered in a later turn.
final class ChunkedRequest {
    let bytes: [UInt8]
    let head: HTTPRequestHead
    var decoder = HTTPChunkedDecoder()
    var body: [UInt8] = []
    private let budget: ProcessBudget
    private var bytesHeld = 0

    init(bytes: [UInt8], head: HTTPRequestHead, body: [UInt8] = [], budget: ProcessBudget) {
        (self.bytes, self.head, self.body) = (bytes, head, body)
        self.budget = budget
    }

    deinit { budget.give(bytesHeld) }

    /// Takes from the budget what the request holds by now; false when that is used up.
    func takeHeldBytes() -> Bool {
        let holds = bytes.count + body.capacity
        guard holds > bytesHeld else { return true }
        guard budget.acquire(holds - bytesHeld, withinGrace: holds <= LoopServer.inputGraceBytes) else { return false }
        bytesHeld = holds
        return true
    }
}

/// One request, whole or as far as its head: the head's bytes and the body, where they lie.
struct RequestView {
    let bytes: UnsafeBufferPointer<UInt8>
    let head: HTTPRequestHead
    let body: UnsafeBufferPointer<UInt8>
    /// The body is still to come: what the head decides is answered now, and what needs the body is admitted (`isBodyAdmitted`).
    var isBodyAwaited = false

    /// Part of the head's bytes.
    func slice(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> { bytes.extracting(range) }

    func text(_ range: Range<Int>?) -> String? {
        range.map { String(decoding: bytes.extracting($0), as: UTF8.self) }
    }
}
