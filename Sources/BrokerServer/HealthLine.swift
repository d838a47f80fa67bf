internal import Configuration
internal import Glibc
internal import Reactor
internal import TLS

/// The connection of `starling health` to the server, plain or through TLS. Calls block, until the deadline of all of them.
final class HealthLine {
    typealias Problem = HealthCheck.Problem

    private let target: HealthTarget
    private let deadline: UInt64
    private let descriptor: CInt
    /// nil: plain.
    private let layer: TLSLayer?

    /// Connects, and shakes hands.
    init(_ target: HealthTarget, _ deadline: UInt64) throws(Problem) {
        (self.target, self.deadline) = (target, deadline)
        layer = try Self.layer(target)
        guard let descriptor = Self.connect(target, deadline) else {
            throw Self.problem("cannot connect to \(target.place)", errno, target)
        }
        self.descriptor = descriptor
        if target.beginsWithProxyHeader { try push(Array("PROXY UNKNOWN\r\n".utf8).span) }
        try shakeHands()
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws(Problem) {
        guard let layer else { return try push(bytes.span) }
        _ = bytes.withUnsafeBytes { layer.seal($0) }
        try pushRecords(layer)
    }

    /// - Returns: how many bytes; 0: there are no more.
    func receive(_ buffer: inout [UInt8]) throws(Problem) -> Int {
        guard let layer else { return try take(&buffer) }
        while true {
            let answer = buffer.withUnsafeMutableBytes { layer.open(into: $0) }
            switch answer {
            case .bytes(let count): return count
            case .ended: return 0
            case .failed: throw Problem(exitCode: 1, text: "TLS: \(layer.whyNot)")
            case .needsInput:
                guard try feed(layer) else { return 0 }
            }
        }
    }

    // MARK: TLS

    private static func layer(_ target: HealthTarget) throws(Problem) -> TLSLayer? {
        guard let trust = target.trust else { return nil }
        do throws(TLSProblem) {
            let context = try TLSClientContext(TLSClientContext.Trust(trust))
            return TLSLayer(connecting: context, to: target.host, in: TLSRoom(nil))
        } catch { throw Problem(exitCode: 1, text: "TLS: \(error.text)") }
    }

    private func shakeHands() throws(Problem) {
        guard let layer else { return }
        var unasked: [UInt8] = [0]
        while true {
            let answer = unasked.withUnsafeMutableBytes { layer.open(into: $0) }
            // The server hears why not.
            try pushRecords(layer)
            if case .bytes = answer { throw Problem(exitCode: 1, text: "the server answered before it was asked") }
            if layer.isEstablished { return }
            var isFed = false
            if answer == .needsInput { isFed = try feed(layer) }
            guard isFed else { throw Problem(exitCode: 1, text: "TLS: \(layer.whyNot)") }
        }
    }

    /// - Returns: whether there was more.
    private func feed(_ layer: TLSLayer) throws(Problem) -> Bool {
        try pushRecords(layer)
        var records = [UInt8](repeating: 0, count: 17 * 1_024)
        let count = try take(&records)
        records[..<count].withUnsafeBytes { layer.feed($0) }
        return count > 0
    }

    private func pushRecords(_ layer: TLSLayer) throws(Problem) {
        while layer.outgoingCount > 0 {
            let records = Array(layer.outgoing)
            try push(records.span)
            layer.sent(records.count)
        }
    }

    // MARK: The socket

    private func push(_ bytes: Span<UInt8>) throws(Problem) {
        guard Self.limitWaiting(descriptor, deadline) else {
            throw Self.problem("the server took no request", EAGAIN, target)
        }
        let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == bytes.count else { throw Self.problem("the server took no request", errno, target) }
    }

    private func take(_ buffer: inout [UInt8]) throws(Problem) -> Int {
        // A server that dribbles has no more time than one that is silent.
        guard Self.limitWaiting(descriptor, deadline) else { throw Self.problem("no answer", EAGAIN, target) }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 { throw Self.problem("no answer", errno, target) }
        return count
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

extension TLSClientContext.Trust {
    init(_ trust: HealthTarget.Trust) {
        switch trust {
        case .system: self = .system
        case .authority(let file): self = .authority(file)
        case .anybody: self = .anybody
        }
    }
}
