internal import Crypto
internal import PusherProtocol
internal import Wire

/// Storage of one loop that is used again by every answer, so that an answer allocates nothing.
struct Scratch: ~Copyable {
    /// What the routes fill.
    var reply = HTTPReply()
    /// What is sent next: a response, or frames of the server itself.
    private(set) var bytes: [UInt8] = []
    /// The query of a client that connects.
    var query = APIQuery()
    /// For the ids of clients.
    var random = RandomNumbers()
    private var date = HTTPDate(unixSeconds: 0)

    /// Writes the reply. With `keepAlive` false it says that the connection ends after it.
    @inline(__always)
    mutating func writeReply(unixSeconds: Int, keepAlive: Bool, omitBody: Bool) {
        bytes.removeAll(keepingCapacity: true)
        date.set(unixSeconds: unixSeconds)
        let body = reply.body
        HTTPResponse.append(
            status: reply.status, date: date, contentType: reply.contentType, extraHeaders: reply.allHeaders,
            body: body.span, keepAlive: keepAlive, omitBody: omitBody, to: &bytes)
    }

    /// Writes something with the date of now.
    mutating func write(unixSeconds: Int, _ append: (HTTPDate, inout [UInt8]) -> Void) {
        date.set(unixSeconds: unixSeconds)
        bytes.removeAll(keepingCapacity: true)
        append(date, &bytes)
    }

    /// Writes something.
    @inline(__always)
    mutating func write(_ append: (inout [UInt8]) -> Void) {
        bytes.removeAll(keepingCapacity: true)
        append(&bytes)
    }

    /// Storage that is used again is as large as its largest use.
    mutating func release() {
        bytes = []
        reply.body = []
        query = APIQuery()
    }
}
