import CLinux
import Glibc
import Reactor
import Synchronization
@testable import TLS
import Wire

/// A server on loopback that does what it is told, each connection in a thread of its own.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        /// Reads one request.
        case hear
        case say(String)
        case sayBytes(Int)
        /// Until the peer has gone.
        case hang
        /// Until the test says so.
        case await(Gate)
        case reset
    }

    /// Opened once.
    final class Gate: Sendable {
        private let isOpen = Atomic<Bool>(false)
        func open() { isOpen.store(true, ordering: .releasing) }
        func pass() { while !isOpen.load(ordering: .acquiring) { usleep(200) } }
    }

    private struct State {
        var accepted = 0
        var open = 0
        var requests: [String] = []
    }

    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    let port: UInt16
    private let listener: CInt
    private let scripts: [[Step]]
    private let keeper: TLSKeeper?
    private let state = Mutex(State())
    private let isStopping = Atomic<Bool>(false)

    /// - Parameters:
    ///   - scripts: of the connections in the order in which they come; the last is that of all others.
    ///   - tls: its certificate.
    init(_ scripts: [[Step]], host: String = "127.0.0.1", port: UInt16 = 0, tls keeper: TLSKeeper? = nil) throws {
        let raw = clinux_listen(host, port, false, 64)
        guard raw >= 0 else { throw IOError(call: "listen", code: -raw) }
        (listener, self.scripts, self.keeper) = (raw, scripts, keeper)
        self.port = UInt16(clinux_local_port(raw))
        try LoopThread.start(name: "scripted") { self.serve() }.detach()
    }

    /// Whoever waits is let go when its peer is.
    func stop() { isStopping.store(true, ordering: .releasing) }

    var accepted: Int { state.withLock { $0.accepted } }
    var open: Int { state.withLock { $0.open } }
    var requests: [String] { state.withLock { $0.requests } }

    private func serve() {
        while !isStopping.load(ordering: .acquiring) {
            guard clinux_wait_readable(listener, 20) == 1 else { continue }
            var peer = clinux_address()
            let raw = clinux_accept(listener, &peer)
            guard raw >= 0 else { continue }
            _ = clinux_set_patience(raw, 20_000)
            let number = state.withLock { state in
                (state.accepted, state.open) = (state.accepted + 1, state.open + 1)
                return state.accepted - 1
            }
            let script = scripts[min(number, scripts.count - 1)]
            try? LoopThread.start(name: "scripted one") { self.play(script, raw) }.detach()
        }
        clinux_close(listener)
    }

    private func play(_ script: [Step], _ raw: CInt) {
        let stream = ServerStream(raw, keeper)
        defer {
            stream.sayGoodbye()
            clinux_close(raw)
            state.withLock { $0.open -= 1 }
        }
        for step in script {
            switch step {
            case .hear:
                guard let request = stream.hear() else { return }
                state.withLock { $0.requests.append(request) }
            case .say(let text): stream.say(Array(text.utf8))
            case .sayBytes(let count): stream.say([UInt8](repeating: 0x61, count: count))
            case .hang: while stream.read() {}
            case .await(let gate): gate.pass()
            case .reset: clinux_set_reset_on_close(raw)
            }
        }
    }
}

/// One connection of it, read and written by its thread.
private final class ServerStream {
    private let raw: CInt
    private let layer: TLSLayer?
    private var heard: [UInt8] = []

    init(_ raw: CInt, _ keeper: TLSKeeper?) {
        self.raw = raw
        layer = keeper.flatMap { TLSRoom($0).accept() }
    }

    func say(_ bytes: [UInt8]) {
        guard let layer else { return push(bytes) }
        while !layer.isEstablished, !layer.hasFailed { guard read() else { return } }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { layer.seal($0) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
            pushRecords()
        }
    }

    /// The next request; nil: the peer has gone.
    func hear() -> String? {
        while true {
            if let count = wholeRequest() {
                defer { heard.removeFirst(count) }
                return String(decoding: heard[..<count], as: UTF8.self)
            }
            guard read() else { return nil }
        }
    }

    func sayGoodbye() {
        layer?.sayGoodbye()
        pushRecords()
    }

    private func wholeRequest() -> Int? {
        let text = String(decoding: heard.prefix(4_096), as: UTF8.self)
        guard let end = text.firstPlace(of: "\r\n\r\n"), let mark = text.firstPlace(of: "Content-Length: ") else {
            return nil
        }
        let digits = text[mark.upperBound...].prefix { $0.isNumber }
        let count = text.utf8.distance(from: text.startIndex, to: end.upperBound) + (Int(digits) ?? 0)
        return heard.count >= count ? count : nil
    }

    /// - Returns: false: no more comes.
    func read() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        if let layer {
            switch buffer.withUnsafeMutableBytes({ layer.open(into: $0) }) {
            case .bytes(let count):
                heard += buffer[..<count]
                return true
            case .needsInput: pushRecords()
            case .ended, .failed:
                pushRecords()
                return false
            }
        }
        let count = recv(raw, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        if let layer { buffer[..<count].withUnsafeBytes { layer.feed($0) } } else { heard += buffer[..<count] }
        return true
    }

    private func pushRecords() {
        guard let layer else { return }
        while layer.outgoingCount > 0 {
            let records = Array(layer.outgoing)
            push(records)
            layer.sent(records.count)
        }
    }

    private func push(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { send(raw, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }
}
