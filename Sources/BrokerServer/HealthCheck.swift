internal import CLinux
internal import Glibc
internal import Reactor

/// `starling health`: asks a server whether it takes traffic. Blocking, for the command line and for container health checks.
public enum HealthCheck {
    /// - Parameter url: `http://HOST[:PORT][/PATH]`; without a path, `/ready` is asked.
    /// - Returns: nil when the server answered 200, else what was wrong.
    public static func run(url: String, timeoutSeconds: Int) -> String? {
        guard let target = Target(url) else {
            return "\(url) is not an http:// URL"
        }
        guard let descriptor = connect(target, timeoutSeconds: timeoutSeconds) else {
            return "cannot connect to \(target.host):\(target.port): \(String(cString: strerror(errno)))"
        }
        defer { close(descriptor) }
        let request =
            "GET \(target.path) HTTP/1.1\r\nHost: \(target.host):\(target.port)\r\nConnection: close\r\n\r\n"
        var bytes = Array(request.utf8)
        guard send(descriptor, &bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            return "the server closed the connection"
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while answer.count < 64 * 1_024 {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { break }
            answer.append(contentsOf: buffer[..<count])
        }
        let text = String(decoding: answer, as: UTF8.self)
        let status = text.split(separator: " ", maxSplits: 2).dropFirst().first ?? ""
        if status == "200" { return nil }
        return answer.isEmpty ? "no answer within \(timeoutSeconds) s" : "the server answered \(status)"
    }

    private struct Target {
        var host: String
        var port: String
        var path: String

        init?(_ url: String) {
            let scheme = "http://"
            guard url.hasPrefix(scheme) else { return nil }
            let rest = url.dropFirst(scheme.count)
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            let authority = rest[..<slash]
            path = slash == rest.endIndex || rest[slash...] == "/" ? "/ready" : String(rest[slash...])
            if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
                host = String(authority[authority.index(after: authority.startIndex)..<end])
                port =
                    authority[authority.index(after: end)...].hasPrefix(":")
                    ? String(authority[authority.index(after: end)...].dropFirst()) : "80"
            } else if let colon = authority.lastIndex(of: ":") {
                host = String(authority[..<colon])
                port = String(authority[authority.index(after: colon)...])
            } else {
                host = String(authority)
                port = "80"
            }
            guard !host.isEmpty, !port.isEmpty else { return nil }
        }
    }

    private static func connect(_ target: Target, timeoutSeconds: Int) -> CInt? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(target.host, target.port, &hints, &list) == 0 else {
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
            var patience = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
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
