public import Configuration
internal import Glibc
internal import Reactor
internal import Wire

/// `starling health`: asks a server whether it takes traffic. Blocking, for the command line and for container health checks.
public enum HealthCheck {
    /// What was wrong, and the exit code that says so: 1, or 124 when the time was over.
    public struct Problem: Error {
        public var exitCode: Int32
        public var text: String
    }

    /// Returns when the server answered 200, with any body.
    public static func run(_ target: HealthTarget) throws(Problem) {
        let deadline = MonotonicTime.now().nanoseconds + UInt64(max(0, target.timeoutSeconds)) * 1_000_000_000
        let line = try HealthLine(target, deadline)
        let request =
            "GET \(target.path) HTTP/1.1\r\nHost: \(target.name)\r\nConnection: close\r\n\r\n"
        try line.send(Array(request.utf8))
        let status = try status(line)
        if status != 200 { throw Problem(exitCode: 1, text: "the server answered \(status)") }
    }

    /// The status of the answer; what its body says is not waited for.
    private static func status(_ line: HealthLine) throws(Problem) -> Int {
        var parser = HTTPResponseParser()
        let limits = HTTPResponseLimits(headBytesMax: 64 * 1_024, bodyBytesMax: .max)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = try line.receive(&buffer)
            answer.append(contentsOf: buffer[..<count])
            var offset = 0
            do throws(HTTPResponseFailure) {
                let event = try parser.next(answer.span, from: &offset, limits: limits)
                if case .head(let head) = event { return head.status }
                if count == 0 { _ = try parser.endOfStream() }
            } catch {
                let what = answer.isEmpty ? "nothing" : "what cannot be read: \(error.text)"
                throw Problem(exitCode: 1, text: "the server answered \(what)")
            }
            answer.removeFirst(offset)
        }
    }
}

extension HealthTarget {
    /// The Host header; a path is none.
    var name: String {
        if case .unix = ListenAddress(host) { "localhost" } else { "\(host):\(port)" }
    }

    var place: String {
        if case .unix(let path, _) = ListenAddress(host) { path } else { "\(host):\(port)" }
    }
}
