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
        guard let descriptor = connect(target, deadline) else {
            throw problem("cannot connect to \(target.place)", errno, target)
        }
        defer { close(descriptor) }
        let request =
            (target.beginsWithProxyHeader ? "PROXY UNKNOWN\r\n" : "")
            + "GET \(target.path) HTTP/1.1\r\nHost: \(target.name)\r\nConnection: close\r\n\r\n"
        var bytes = Array(request.utf8)
        guard send(descriptor, &bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw problem("the server took no request", errno, target)
        }
        let status = try status(descriptor, target, deadline)
        if status != 200 { throw Problem(exitCode: 1, text: "the server answered \(status)") }
    }

    /// The status of the answer; what its body says is not waited for.
    private static func status(
        _ descriptor: CInt, _ target: HealthTarget, _ deadline: UInt64
    ) throws(Problem) -> Int {
        var parser = HTTPResponseParser()
        let limits = HTTPResponseLimits(headBytesMax: 64 * 1_024, bodyBytesMax: .max)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            // A server that dribbles has no more time than one that is silent.
            guard limitWaiting(descriptor, deadline) else { throw problem("no answer", EAGAIN, target) }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { throw problem("no answer", errno, target) }
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

    private static func problem(_ what: String, _ code: CInt, _ target: HealthTarget) -> Problem {
        if code == EAGAIN || code == EINPROGRESS {
            return Problem(exitCode: 124, text: "\(what) within \(target.timeoutSeconds) s")
        }
        return Problem(exitCode: 1, text: "\(what): \(String(cString: strerror(code)))")
    }

    private static func connect(_ target: HealthTarget, _ deadline: UInt64) -> CInt? {
        if case .unix(let path, _) = ListenAddress(target.host) { return connect(path, deadline) }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(target.host, String(target.port), &hints, &list) == 0 else {
            errno = EHOSTUNREACH
            return nil
        }
        defer { freeaddrinfo(list) }
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            let descriptor = socket(
                entry.pointee.ai_family, entry.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { continue }
            guard limitWaiting(descriptor, deadline) else {
                close(descriptor)
                errno = EAGAIN
                return nil
            }
            if Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 { return descriptor }
            let why = errno
            close(descriptor)
            errno = why
        }
        return nil
    }

    private static func connect(_ path: String, _ deadline: UInt64) -> CInt? {
        do throws(IOError) {
            let descriptor = try UnixStream.connect(to: path).release()
            return limitWaiting(descriptor, deadline) ? descriptor : nil
        } catch {
            errno = error.code
            return nil
        }
    }

    /// Lets the next call on the socket wait until then.
    /// - Returns: false when the time is over.
    private static func limitWaiting(_ descriptor: CInt, _ deadline: UInt64) -> Bool {
        let now = MonotonicTime.now().nanoseconds
        guard now < deadline else { return false }
        let microseconds = Int((deadline - now) / 1_000)
        // Zero would wait for ever.
        var patience = timeval(
            tv_sec: microseconds / 1_000_000, tv_usec: max(1, microseconds % 1_000_000))
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        return true
    }
}

extension HealthTarget {
    /// The Host header; a path is none.
    fileprivate var name: String {
        if case .unix = ListenAddress(host) { "localhost" } else { "\(host):\(port)" }
    }

    fileprivate var place: String {
        if case .unix(let path, _) = ListenAddress(host) { path } else { "\(host):\(port)" }
    }
}
