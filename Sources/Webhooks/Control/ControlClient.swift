internal import Glibc
internal import Reactor
internal import Wire

/// Asks a running process over its control socket. Blocking, for the command line.
public enum ControlClient {
    /// Why no answer came.
    public enum Problem: Error, Equatable, Sendable {
        /// There is no socket.
        case missing
        /// Nobody listens on it any more.
        case abandoned
        case forbidden
        /// The process hung up without a word: it is another user's, busy with others who ask, or about to end.
        case dismissed
        case late
        /// Another error, or an answer that is none.
        case broken(String)
    }

    /// An answer, whatever its status.
    public struct Answer: Equatable, Sendable {
        public var status: Int
        public var body: [UInt8]
    }

    /// - Parameter timeoutSeconds: for each step of the talk.
    public static func ask(
        _ request: ControlRequest, at path: String, timeoutSeconds: Int
    ) throws(Problem) -> Answer {
        var reading = AnswerReading()
        let stream: UnixStream
        do throws(IOError) {
            stream = try UnixStream(path: path, patienceMilliseconds: Int32(clamping: timeoutSeconds * 1_000))
            try stream.send(String(decoding: request.message, as: UTF8.self))
        } catch {
            throw Problem(error)
        }
        while true {
            let came: [UInt8]?
            do throws(IOError) { came = try stream.receive()?.bytes } catch { throw Problem(error) }
            do throws(HTTPResponseFailure) {
                if let answer = try reading.take(came) { return answer }
            } catch {
                throw reading.hasBegun ? .broken(error.text) : .dismissed
            }
        }
    }

    /// Puts an answer together.
    private struct AnswerReading {
        private var parser = HTTPResponseParser()
        private var answer = Answer(status: 0, body: [])
        private var rest: [UInt8] = []
        private(set) var hasBegun = false

        private static let limits = HTTPResponseLimits(bodyBytesMax: 128 << 20)

        /// - Parameter bytes: nil: there are no more.
        /// - Returns: the answer when it is whole.
        mutating func take(_ bytes: [UInt8]?) throws(HTTPResponseFailure) -> Answer? {
            guard let bytes else {
                _ = try parser.endOfStream()
                return answer
            }
            hasBegun = true
            let text = rest + bytes
            var offset = 0
            while let event = try parser.next(text.span, from: &offset, limits: Self.limits) {
                switch event {
                case .head(let head): answer.status = head.status
                case .body(let range): answer.body += text[range]
                case .end: return answer
                }
            }
            rest = Array(text[offset...])
            return nil
        }
    }
}

extension ControlClient.Problem {
    init(_ error: IOError) {
        switch error.code {
        case ENOENT, ENOTDIR: self = .missing
        case ECONNREFUSED: self = .abandoned
        case EACCES, EPERM: self = .forbidden
        case EPIPE, ECONNRESET: self = .dismissed
        case EAGAIN: self = .late
        default: self = .broken(error.description)
        }
    }
}
