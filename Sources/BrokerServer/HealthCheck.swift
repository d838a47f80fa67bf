public import Configuration
internal import Glibc

/// `starling health`: asks a server whether it takes traffic. Blocking, for the command line and for container health checks.
public enum HealthCheck {
    /// What was wrong, and the exit code that says so: 1, or 124 when the time was over.
    public struct Problem: Error {
        public var exitCode: Int32
        public var text: String
    }

    /// Returns when the server answered 200.
    public static func run(_ target: HealthTarget) throws(Problem) {
        guard let descriptor = connect(target) else {
            throw problem("cannot connect to \(target.host):\(target.port)", errno, target)
        }
        defer { close(descriptor) }
        let request =
            "GET \(target.path) HTTP/1.1\r\nHost: \(target.host):\(target.port)\r\nConnection: close\r\n\r\n"
        var bytes = Array(request.utf8)
        guard send(descriptor, &bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw problem("the server took no request", errno, target)
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while answer.count < 64 * 1_024 {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { throw problem("no answer", errno, target) }
            if count == 0 { break }
            answer.append(contentsOf: buffer[..<count])
        }
        let text = String(decoding: answer, as: UTF8.self)
        let status = text.split(separator: " ", maxSplits: 2).dropFirst().first ?? "nothing"
        if status != "200" { throw Problem(exitCode: 1, text: "the server answered \(status)") }
    }

    private static func problem(_ what: String, _ code: CInt, _ target: HealthTarget) -> Problem {
        if code == EAGAIN || code == EINPROGRESS {
            return Problem(exitCode: 124, text: "\(what) within \(target.timeoutSeconds) s")
        }
        return Problem(exitCode: 1, text: "\(what): \(String(cString: strerror(code)))")
    }

    private static func connect(_ target: HealthTarget) -> CInt? {
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
            var patience = timeval(tv_sec: target.timeoutSeconds, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
            if Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 { return descriptor }
            let why = errno
            close(descriptor)
            errno = why
        }
        return nil
    }
}
