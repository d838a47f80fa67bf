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
    /// Input waits until the answers to what came before have been taken; see `Pacing`.
    var isPaused = false
    /// The long reply that is under way; 0 for none. See `LoopServer+LongReplies`.
    var replyNumber: UInt32 = 0
    /// The request or frame that is being received has at least this many bytes; not worth a look before.
    var bytesAwaited = 0
    /// Loop time, truncated: the last byte heard, and when the present phase or request began.
    var heardMilliseconds: UInt32 = 0
    var sinceMilliseconds: UInt32 = 0
    var receiver = WebSocketReceiver()
    var chunked: ChunkedRequest?

    /// A slot that nobody has.
    init() {}

    /// A connection from its first moment, when it owes a request.
    init(openedMilliseconds: UInt32) {
        phase = .http
        isReceiving = true
        (heardMilliseconds, sinceMilliseconds) = (openedMilliseconds, openedMilliseconds)
    }
}

/// A request whose body comes in chunks: the head must be kept, because its bytes are consumed before the body is whole.
final class ChunkedRequest {
    let bytes: [UInt8]
    let head: HTTPRequestHead
    var decoder = HTTPChunkedDecoder()
    var body: [UInt8] = []

    init(bytes: [UInt8], head: HTTPRequestHead) {
        self.bytes = bytes
        self.head = head
    }
}

/// One whole request: its head's bytes and its body, where they lie.
struct RequestView {
    let bytes: UnsafeBufferPointer<UInt8>
    let head: HTTPRequestHead
    let body: UnsafeBufferPointer<UInt8>

    /// Part of the head's bytes.
    func slice(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> { bytes.extracting(range) }

    func text(_ range: Range<Int>?) -> String? {
        range.map { String(decoding: bytes.extracting($0), as: UTF8.self) }
    }
}
