#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import CLinux
    import Configuration
    import Crypto
    import PusherProtocol
    @testable import Reactor
    import Testing

    /// A server of one app on one loop that the test turns itself, with a peer at the other end of a socket pair.
    final class LoopBench {
        let server: LoopServer
        let loop: EventLoop
        let slot: UInt32
        /// What the peer was sent.
        private(set) var heard: [UInt8] = []
        private var peer: CInt?
        private static let key = "app-key", secret = "app-secret"

        init(
            app changeApp: (inout AppSettings) -> Void = { _ in },
            settings change: (inout ServerSettings) -> Void = { _ in },
            options changeOptions: (inout LoopOptions) -> Void = { _ in }
        ) throws {
            var app = AppSettings(id: "app-id", keys: [.init(key: Self.key, secret: Self.secret)])
            changeApp(&app)
            var settings = ServerSettings()
            change(&settings)
            let broker = SharedBroker(
                settings: [app], loopCount: 1,
                secrets: BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4)),
                headroomBytes: WebSocketFraming.headroomBytes)
            let state = ServerState(
                settings: settings, broker: broker, webSocketsMax: 10,
                secrets: SecretFilter(secrets: [Self.secret]))
            var options = LoopOptions()
            changeOptions(&options)
            loop = try EventLoop(options)
            loop.manualTime = loop.now
            server = LoopServer(state: state, loop: loop, number: 0, handles: [loop.handle])
            state.isServing = true
            var ends: (CInt, CInt) = (0, 0)
            let answer = withUnsafeMutableBytes(of: &ends) {
                clinux_socket_pair($0.bindMemory(to: CInt.self).baseAddress)
            }
            try #require(answer == 0)
            peer = ends.1
            slot = try loop.adopt(Descriptor(owning: ends.0))
        }

        deinit { hangUp() }

        var app: App { server.state.shared.broker.apps[0] }
        var text: String { String(decoding: heard, as: UTF8.self) }

        /// The peer is gone.
        func hangUp() {
            if let peer { clinux_close(peer) }
            peer = nil
        }

        /// The peer becomes a WebSocket client.
        func connect(_ query: String = "protocol=7") {
            let fields =
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            send(Array("GET /app/\(Self.key)?\(query) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n".utf8))
            turn(3)
        }

        /// Sends a frame of at most 125 bytes, masked with zeros.
        func send(frame opcode: UInt8, _ payload: [UInt8] = []) {
            send([0x80 | opcode, 0x80 | UInt8(payload.count), 0, 0, 0, 0] + payload)
        }

        /// What the peer was sent since the last time.
        func takeHeard() -> String {
            defer { heard = [] }
            return text
        }

        func send(_ bytes: [UInt8]) {
            guard let peer else { preconditionFailure("the peer is gone") }
            #expect(bytes.withUnsafeBytes { clinux_send(peer, $0.baseAddress, $0.count) } == bytes.count)
        }

        /// Lets so much time pass, in ticks.
        func pass(milliseconds: UInt64) {
            for _ in 0..<milliseconds / 100 {
                loop.manualTime = loop.manualTime?.after(nanoseconds: 100_000_000)
                turn(1)
            }
        }

        /// Turns the loop and reads what comes; until `isDone` at most.
        func turn(_ count: Int = 20, until isDone: () -> Bool = { false }) {
            for _ in 0..<count where !isDone() {
                _ = loop.runTurn(server, mayWait: false)
                guard let peer else { continue }
                var bytes = [UInt8](repeating: 0, count: 1 << 18)
                let count = bytes.withUnsafeMutableBytes { clinux_receive(peer, $0.baseAddress, $0.count) }
                if count > 0 { heard += bytes[..<count] }
            }
        }

        /// A signed call below `/apps/app-id`; `lines` are further lines of its head.
        func call(_ method: String, _ path: String, _ lines: [String] = [], body: [UInt8] = []) -> [UInt8] {
            let md5 = Digest.md5(body.span)
            let digest = md5.span.withUnsafeBufferPointer { bytes in
                bytes.map { (($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
            }
            let signed =
                "auth_key=\(Self.key)&auth_timestamp=\(WallClock.seconds())&auth_version=1.0"
                + (body.isEmpty ? "" : "&body_md5=\(digest)")
            let text = Array("\(method)\n/apps/app-id\(path)\n\(signed)".utf8), secret = Array(Self.secret.utf8)
            var signature: [UInt8] = []
            HMACKey(secret: secret.span).sign(text.span).appendHex(to: &signature)
            let head =
                [
                    "\(method) /apps/app-id\(path)?\(signed)&auth_signature=\(String(decoding: signature, as: UTF8.self)) HTTP/1.1",
                    "Host: x",
                ] + lines + (body.isEmpty ? [] : ["Content-Length: \(body.count)"])
            return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
        }
    }
#endif
