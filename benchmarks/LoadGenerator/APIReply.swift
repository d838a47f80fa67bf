internal import Wire

/// Reads what one API connection is answered.
struct APIReply {
    /// A list of all channels may be long; the generator looks at no more of it than where it ends.
    static let limits = HTTPResponseLimits(headBytesMax: 64 << 10, bodyBytesMax: .max)

    private var parser = HTTPResponseParser()
    private var outcome = Outcome(isSuccess: false, keepAlive: false)

    /// A response of the server.
    struct Outcome {
        var isSuccess: Bool
        /// Whether the next call can go over the same connection.
        var keepAlive: Bool
    }

    /// Reads from `offset`, which moves past what is consumed, up to the end of one response.
    ///
    /// - Parameter complaint: what a refusal says, as far as it came together with its head.
    /// - Returns: nil: it is not whole.
    mutating func next(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, complaint: (String) -> Void
    ) throws(HTTPResponseFailure) -> Outcome? {
        while let event = try parser.next(bytes.span, from: &offset, limits: Self.limits) {
            switch event {
            case .body: break
            case .end: return outcome
            case .head(let head):
                outcome = Outcome(isSuccess: head.isSuccess, keepAlive: head.keepAlive)
                guard !head.isSuccess else { break }
                let start = head.range.lowerBound
                complaint(String(decoding: bytes[start..<min(start + 500, bytes.count)], as: UTF8.self))
            }
        }
        return nil
    }

    /// The response that the end of the connection has made whole; nil: there is none.
    mutating func endOfStream() -> Outcome? { (try? parser.endOfStream()) == .end ? outcome : nil }
}
