#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import CLinux
    import Configuration
    import Crypto
    import PusherProtocol
    @testable import Reactor
    import Testing

    @Suite("A keyed publish that another loop is making") struct PostponedPublishTests {
        private let key = "app-key", secret = "app-secret", body = Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8)

        private func server() throws -> (LoopServer, EventLoop) {
            let broker = SharedBroker(
                settings: [AppSettings(id: "app-id", keys: [.init(key: key, secret: secret)])], loopCount: 1,
                secrets: BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4)))
            let state = ServerState(
                settings: ServerSettings(), broker: broker, webSocketsMax: 10, secrets: SecretFilter(secrets: [secret]))
            let loop = try EventLoop(LoopOptions())
            let server = LoopServer(state: state, loop: loop, number: 0)
            server.handles = [loop.handle]
            state.isServing = true
            return (server, loop)
        }

        private func hex(_ append: (inout [UInt8]) -> Void) -> String {
            var text: [UInt8] = []
            append(&text)
            return String(decoding: text, as: UTF8.self)
        }

        /// A signed publish with the key `k`.
        private func request() -> [UInt8] {
            let md5 = Digest.md5(body.span)
            let digest = md5.span.withUnsafeBufferPointer { bytes in
                bytes.map { (($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
            }
            let query = "auth_key=\(key)&auth_timestamp=\(WallClock.seconds())&auth_version=1.0&body_md5=\(digest)"
            let text = Array("POST\n/apps/app-id/events\n\(query)".utf8), secret = Array(secret.utf8)
            let signature = hex {
                HMACKey(secret: secret.span).sign(text.span, using: HMACWorkspace()).appendHex(to: &$0)
            }
            return Array(
                """
                POST /apps/app-id/events?\(query)&auth_signature=\(signature) HTTP/1.1\r\nHost: x\r\n\
                X-Idempotency-Key: k\r\nContent-Length: \(body.count)\r\n\r\n
                """.utf8) + body
        }

        @Test func waitsForItAndGetsItsAnswerAndWhatFollowsWaitsToo() throws {
            let (server, loop) = try server()
            var ends: (CInt, CInt) = (0, 0)
            let answer = withUnsafeMutableBytes(of: &ends) {
                clinux_socket_pair($0.bindMemory(to: CInt.self).baseAddress)
            }
            try #require(answer == 0)
            let peer = ends.1
            defer { clinux_close(peer) }
            try loop.adopt(Descriptor(owning: ends.0))
            let app = try #require(server.state.broker.apps.first)
            // The other loop begins.
            let header = Array("k".utf8)
            let claim = IdempotencyClaim(
                key: try IdempotencyKey.of(header: header.span, body: nil),
                fingerprint: PublishFingerprint.of(.event, query: APIQuery(), body: body.span))
            let store = server.state.broker.idempotency
            let now = BrokerTime(milliseconds: loop.now.nanoseconds / 1_000_000, unixSeconds: WallClock.seconds())
            guard case .claimed(let claimed) = store.claim([claim], app: app, time: now),
                case .new(let ticket) = claimed[0]
            else {
                Issue.record("the key is new")
                return
            }
            let sent = request() + Array("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            #expect(sent.withUnsafeBytes { clinux_send(peer, $0.baseAddress, $0.count) } == sent.count)
            var heard: [UInt8] = []
            func turn() {
                _ = loop.runTurn(server, mayWait: false)
                var bytes = [UInt8](repeating: 0, count: 4_096)
                let count = bytes.withUnsafeMutableBytes { clinux_receive(peer, $0.baseAddress, $0.count) }
                if count > 0 { heard += bytes[..<count] }
            }
            for _ in 0..<20 { turn() }
            #expect(heard.isEmpty, "it waits, and so does the request behind it")
            #expect(server.postponed.count == 1)
            // The other loop is done.
            store.settle(ticket, answer: Array(#"{"from":"the other"}"#.utf8))
            for _ in 0..<20 { turn() }
            let text = String(decoding: heard, as: UTF8.self)
            let parts = text.split(separator: "HTTP/1.1 200 OK")
            #expect(parts.count == 2)
            #expect(parts.first?.contains("X-Idempotency-Replayed: true") == true)
            #expect(parts.first?.hasSuffix(#"{"from":"the other"}"#) == true)
            #expect(parts.last?.hasSuffix("OK") == true)
            #expect(server.postponed.isEmpty && server.state.inputBudget.reservedBytes == 0)
        }
    }
#endif
