#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import Crypto
    import PusherProtocol
    import TestSupport
    import Testing
    import Wire

    @Suite("Who is let in (Pusher protocol §1.4)") struct AdmissionTests {
        struct Case: Sendable {
            var key = "app-key", query = "protocol=7", fields = ""
            var change: @Sendable (inout AppSettings) -> Void = { _ in }
            var trustsProxy = false
            /// Nil: it is let in.
            var code: PusherErrorCode?
        }

        static let rows: [Row<Case>] = [
            Row("a client of an app as it comes", Case()),
            Row("no protocol", Case(query: "")),
            Row(
                "no protocol, where that is refused",
                Case(query: "", change: { $0.isProtocolStrict = true }, code: .missingProtocol)),
            Row("a protocol that is no number", Case(query: "protocol=seven", code: .malformedVersion)),
            Row("a protocol of the past", Case(query: "protocol=4", code: .unsupportedProtocol)),
            Row("an unknown key", Case(key: "nobody", code: .unknownKey)),
            Row("a key that is no UTF-8 escape", Case(key: "%zz", code: .unknownKey)),
            Row("a key in escapes", Case(key: "app%2Dkey")),
            Row(
                "an unknown key with an impossible protocol: the protocol is told first",
                Case(key: "nobody", query: "protocol=4", code: .unsupportedProtocol)),
            Row("a disabled app", Case(change: { $0.isEnabled = false }, code: .appDisabled)),
            Row("plaintext, where TLS is wanted", Case(change: { $0.requiresTLS = true }, code: .tlsRequired)),
            Row(
                "TLS that a stranger vouches for",
                Case(fields: "X-Forwarded-Proto: https\r\n", change: { $0.requiresTLS = true }, code: .tlsRequired)),
            Row(
                "TLS that a trusted proxy vouches for",
                Case(fields: "X-Forwarded-Proto: https\r\n", change: { $0.requiresTLS = true }, trustsProxy: true)),
            Row(
                "a disabled app in plaintext: the state of the app is told first",
                Case(change: { ($0.isEnabled, $0.requiresTLS) = (false, true) }, code: .appDisabled)),
            Row(
                "a page that is not on the list",
                Case(
                    fields: "Origin: http://evil.example\r\n", change: { $0.allowedOrigins = ["shop.example"] },
                    code: .unauthorized)),
            Row(
                "a page that is on the list",
                Case(fields: "Origin: http://shop.example\r\n", change: { $0.allowedOrigins = ["shop.example"] })),
            Row("no page at all: a native app", Case(change: { $0.allowedOrigins = ["shop.example"] })),
        ]

        @Test(arguments: rows) func theFirstCheckThatFailsIsTold(_ row: Row<Case>) throws {
            let wanted = row.value
            let state = makeState(wanted.trustsProxy, wanted.change)
            let outcome = try ask(state, wanted) { (admission, request, key) throws(Refusal) in
                let query = APIQuery(request.slice(request.head.query).span)
                return try admission.decide(request, query, key: key)
            }
            switch outcome {
            case .success(let app): #expect(wanted.code == nil && app.index == 0)
            case .failure(let refusal):
                #expect(refusal.kind == .handshake)
                #expect(refusal.answer == wanted.code.map { .error($0) })
                let knowsApp = ![.unknownKey, .missingProtocol, .malformedVersion, .unsupportedProtocol].contains(
                    wanted.code)
                #expect((refusal.app == 0) == knowsApp)
            }
        }

        static let handshake =
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        static let upgrades: [Row<(fields: String, isDraining: Bool, status: Int?)>] = [
            Row("a handshake", (handshake, false, nil)),
            Row("no upgrade", ("", false, 426)),
            Row("an empty body", (handshake + "Content-Length: 0\r\n", false, nil)),
            Row("while the server drains", (handshake, true, 503)),
        ]

        /// One with a body does not come here: the parser refuses it.
        @Test(arguments: upgrades)
        func whatIsNoUpgradeGetsAStatus(_ row: Row<(fields: String, isDraining: Bool, status: Int?)>) throws {
            let state = makeState(false) { _ in }
            state.isDraining = row.value.isDraining
            let outcome = try ask(state, Case(fields: row.value.fields)) { (admission, request, key) throws(Refusal) in
                try admission.upgrade(request, key: key)
            }
            switch outcome {
            case .success(.webSocket): #expect(row.value.status == nil)
            case .success: Issue.record("nothing else comes of an upgrade")
            case .failure(let refusal):
                #expect(refusal.code == row.value.status && refusal.kind == .handshake)
                guard row.value.isDraining else { return }
                #expect(refusal.answer == .status(503, headers: "", closes: true), "it comes back to another server")
            }
        }

        /// Which headers go with it, and whether more can be read from who has perhaps sent frames already.
        @Test(
            arguments: [
                ("", 426, false), (handshake.replacing("Version: 13", with: "Version: 8"), 426, true),
                (handshake.replacing("dGhl", with: "?"), 400, true),
            ] as [(String, Int, Bool)])
        func whoTriedToUpgradeIsClosed(fields: String, status: Int, closes: Bool) throws {
            let outcome = try ask(makeState(false) { _ in }, Case(fields: fields)) {
                (admission, request, key) throws(Refusal) in try admission.upgrade(request, key: key)
            }
            guard case .failure(let refusal) = outcome else {
                Issue.record("it is no upgrade")
                return
            }
            let headers = status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : ""
            #expect(refusal.answer == .status(status, headers: headers, closes: closes))
        }

        @Test func aLongKeyIsNotSaidBackWhole() throws {
            let key = String(repeating: "k", count: 39) + "yz"
            let outcome = try ask(makeState(false) { _ in }, Case(key: key)) {
                (admission, request, key) throws(Refusal) in
                try admission.decide(request, APIQuery(request.slice(request.head.query).span), key: key)
            }
            guard case .failure(let refusal) = outcome else {
                Issue.record("nobody has that key")
                return
            }
            #expect(refusal.text.contains("ky ") && !refusal.text.contains("z"))
        }

        @Test func placesAreTakenBothOrNeither() throws {
            let state = makeState(false) { $0.limits.connectionsMax = 1 }
            let (admission, app) = (Admission(state: LoopState(state)), state.broker.apps[0])
            let broker = LoopBroker(shared: state.broker, loop: 0)
            try admission.acquirePlaces(of: app, broker)
            #expect(throws: Refusal.handshake(.overQuota).about(app)) { try admission.acquirePlaces(of: app, broker) }
            #expect(state.webSocketCount == 1, "the place of the process was given back")
        }

        @Test func theProcessIsFullBeforeTheAppIs() throws {
            let state = makeState(false) { _ in }
            let admission = Admission(state: LoopState(state))
            for _ in 0..<2 { #expect(state.acquireWebSocket()) }
            let broker = LoopBroker(shared: state.broker, loop: 0)
            let full = Refusal.handshake(.overCapacity, "The server has no room for more connections")
            #expect(throws: full.about(state.broker.apps[0])) {
                try admission.acquirePlaces(of: state.broker.apps[0], broker)
            }
            #expect(state.broker.apps[0].connectionCount == 0)
        }

        @Test func whileMemoryIsShortNobodyIsLetIn() throws {
            let state = makeState(false) { _ in }
            let (admission, app) = (Admission(state: LoopState(state)), state.broker.apps[0])
            let broker = LoopBroker(shared: state.broker, loop: 0)
            state.memory.set(.short, .init(usedBytes: 3, limitBytes: 2, backlogBytes: 1))
            #expect(throws: Refusal.shortOfMemory.about(app)) { try admission.acquirePlaces(of: app, broker) }
            #expect(Refusal.shortOfMemory.code == 4_100 && Refusal.shortOfMemory.kind == .handshake)
            #expect(state.webSocketCount == 0 && state.memory.facts.refusedConnections == 1)
            state.memory.set(.calm, .init(usedBytes: 1, limitBytes: 2, backlogBytes: 0))
            try admission.acquirePlaces(of: app, broker)
            #expect(state.webSocketCount == 1 && state.memory.facts.refusedConnections == 1)
        }

        @Test func theQuotasCodeIsTheAppsChoice() throws {
            let state = makeState(false) { ($0.limits.connectionsMax, $0.quotaCode) = (0, 4_100) }
            let broker = LoopBroker(shared: state.broker, loop: 0)
            do throws(Refusal) {
                try Admission(state: LoopState(state)).acquirePlaces(of: state.broker.apps[0], broker)
                Issue.record("there is no place")
            } catch {
                #expect(error.code == 4_100 && error.text == PusherErrorCode.overQuota.text)
            }
        }

        // MARK: Helpers

        private func makeState(_ trustsProxy: Bool, _ change: (inout AppSettings) -> Void) -> ServerState {
            var app = AppSettings(id: "app-id", keys: [.init(key: "app-key", secret: "app-secret")])
            change(&app)
            var settings = ServerSettings()
            settings.trustedProxies = trustsProxy ? .everyone : .nobody
            let secrets = BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4))
            return ServerState(
                settings: settings,
                broker: SharedBroker(settings: [app], loopCount: 1, secrets: secrets, headroomBytes: 0),
                webSocketsMax: 2, secrets: SecretFilter(secrets: [String]()))
        }

        private func ask<Answer>(
            _ state: ServerState, _ wanted: Case,
            _ ask: (Admission, RequestView, Range<Int>) throws(Refusal) -> Answer
        ) throws -> Result<Answer, Refusal> {
            let bytes = Array(
                "GET /app/\(wanted.key)?\(wanted.query) HTTP/1.1\r\nHost: x\r\n\(wanted.fields)\r\n".utf8)
            let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: HTTPLimits()))
            return bytes.withUnsafeBufferPointer { bytes in
                let request = RequestView(bytes: bytes, head: head, body: UnsafeBufferPointer(start: nil, count: 0))
                let key = head.path.lowerBound + 5..<head.path.upperBound
                return Result { () throws(Refusal) in try ask(Admission(state: LoopState(state)), request, key) }
            }
        }
    }
#endif
