internal import Wire

/// Reads the answer to one request, and keeps of it what counts.
struct AnswerReader {
    struct Answer: Equatable {
        var status: Int
        var retryAfterSeconds: Int?
        /// The next request may go over the same connection.
        var keepsAlive: Bool
    }

    enum Progress: Equatable {
        case more
        case whole(Answer)
        case failed(AttemptFailure)
    }

    /// What is thrown away has a bound all the same.
    static let limits = HTTPResponseLimits(headBytesMax: 16_384, bodyBytesMax: 65_536)

    private var parser = HTTPResponseParser()
    private var answer: Answer?
    /// No byte has come.
    private(set) var isUntouched = true

    /// Reads what is there.
    /// - Parameter now: Unix seconds.
    /// - Returns: how much was consumed; the rest is to be given again, with more behind it. Behind a whole answer nothing is read.
    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>, now: Int) -> (consumed: Int, progress: Progress) {
        if !bytes.isEmpty { isUntouched = false }
        var offset = 0
        do throws(HTTPResponseFailure) {
            while let event = try parser.next(bytes.span, from: &offset, limits: Self.limits) {
                switch event {
                case .head(let head): begin(head, bytes.span.extracting(head.range), now)
                case .body: break
                case .end: return (offset, finish())
                }
            }
            return (offset, .more)
        } catch {
            return (offset, .failed(Self.failure(error)))
        }
    }

    /// No more will come.
    mutating func endOfStream() -> Progress {
        do throws(HTTPResponseFailure) {
            _ = try parser.endOfStream()
            return finish()
        } catch {
            return .failed(Self.failure(error))
        }
    }

    private mutating func begin(_ head: HTTPResponseHead, _ bytes: Span<UInt8>, _ now: Int) {
        var longest: Int?
        for range in HTTPText.values(of: "retry-after", inHead: bytes) {
            var value: [UInt8] = []
            for place in range { value.append(bytes[place]) }
            if let seconds = RetryAfter.seconds(value, now: now) { longest = max(longest ?? 0, seconds) }
        }
        answer = Answer(status: head.status, retryAfterSeconds: longest, keepsAlive: head.keepAlive)
    }

    private func finish() -> Progress { answer.map(Progress.whole) ?? .more }

    private static func failure(_ failure: HTTPResponseFailure) -> AttemptFailure {
        switch failure.kind {
        case .malformed: AttemptFailure(.answer, "What the server sent is no answer: \(failure.text)")
        case .tooLarge:
            AttemptFailure(
                .answer,
                "The answer is too large (its head may have \(limits.headBytesMax) bytes, its body \(limits.bodyBytesMax)): \(failure.text)"
            )
        case .incomplete: AttemptFailure(.closed, "The server closed the connection in the middle of its answer")
        }
    }
}
