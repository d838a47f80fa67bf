#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import Testing
    import Wire

    @Suite("Settings that are replaced") struct SettingsReplacementTests {
        @discardableResult private func replace(
            _ bench: LoopBench, _ change: (inout ServerSettings, inout AppSettings) -> Void
        ) throws -> [String] {
            var app = AppSettings(id: "app-id", keys: [.init(key: "app-key", secret: "app-secret")])
            var settings = ServerSettings()
            change(&settings, &app)
            settings.apps = [app]
            defer { bench.turn(1) }
            return try bench.server.state.shared.replaceSettings(settings).optionsWaiting
        }

        /// The status of a signed call.
        private func status(_ bench: LoopBench, body: [UInt8] = []) -> String {
            let before = bench.heard.count
            bench.send(bench.call(body.isEmpty ? "GET" : "POST", body.isEmpty ? "/connections" : "/events", body: body))
            bench.turn { bench.heard.count > before }
            return String(
                decoding: bench.heard.dropFirst(before).dropFirst("HTTP/1.1 ".utf8.count).prefix(3), as: UTF8.self)
        }

        @Test func aCallMeetsTheSettingsOfItsTurn() throws {
            let bench = try LoopBench()
            bench.turn(2)
            #expect(status(bench) == "200")
            try replace(bench) { $1.keys = [.init(key: "new-key", secret: "new-secret")] }
            #expect(status(bench) == "401")
            try replace(bench) { $1.isEnabled = false }
            #expect(status(bench) == "403")
            try replace(bench) { settings, _ in settings.pathPrefix = "/ws" }
            #expect(status(bench) == "200", "the API answers beside its prefix too")
            #expect(bench.server.state.pathPrefix == Array("/ws".utf8))
            try replace(bench) { $1.id = "another" }
            #expect(status(bench) == "404")
            try replace(bench) { _, _ in }
            #expect(status(bench) == "200")
        }

        @Test func aCallThatIsHalfHereGoesOn() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let call = bench.call("GET", "/connections")
            bench.send(Array(call.prefix(call.count / 2)))
            bench.turn(2)
            try replace(bench) { settings, _ in settings.keepAliveSeconds = 5 }
            bench.turn(2)
            bench.send(Array(call.dropFirst(call.count / 2)))
            bench.turn()
            #expect(bench.text.hasPrefix("HTTP/1.1 200 ") && bench.text.hasSuffix(#"{"connections":0}"#))
        }

        @Test func whatIsMadeOfTheSettingsChangesWithThem() throws {
            let bench = try LoopBench()
            bench.turn(2)
            try replace(bench) { settings, _ in settings.keepAliveSeconds = 2 }
            #expect(status(bench) == "200")
            #expect(bench.server.state.limits.keepAliveMilliseconds == 2_000)
        }

        @Test func newSecretsAreKeptOutOfTheLog() throws {
            let bench = try LoopBench()
            bench.turn(2)
            try replace(bench) { $1.keys = [.init(key: "new-key", secret: "new-secret")] }
            #expect(bench.server.state.secrets.redacted("is new-secret") == "is (secret)")
        }

        /// An app of the settings has its secrets as text, and thousands of apps would be held twice.
        @Test func noMoreThanOneAppIsKeptForTheBanner() throws {
            let bench = try LoopBench()
            bench.turn(2)
            var settings = ServerSettings()
            settings.apps = ["one", "two"].map { AppSettings(id: $0, keys: [.init(key: $0, secret: "secret-" + $0)]) }
            try bench.server.state.shared.replaceSettings(settings)
            bench.turn(1)
            #expect(bench.server.state.settings.apps.map(\.id) == ["one"])
            #expect(bench.server.broker.directory.apps.map(\.isRemoved) == [true, false, false])
        }

        @Test func newSettingsAreNewOnce() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let state = LoopState(bench.server.state.shared)
            #expect(!state.refresh())
            try replace(bench) { settings, _ in settings.keepAliveSeconds = 2 }
            #expect(state.refresh() && state.settings.keepAliveSeconds == 2)
            #expect(!state.refresh())
        }

        @Test func whatNeedsARestartStaysAndIsNamed() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let waiting = try replace(bench) { settings, _ in
                (settings.loops, settings.requestBodyBytesMax, settings.keepAliveSeconds) = (7, 600, 9)
            }
            bench.turn(2)
            let state = bench.server.state
            #expect(waiting == ["loops", "request-body-bytes"] && state.settings.keepAliveSeconds == 9)
            #expect(state.settings.loops == 0 && state.limits.http.bodyBytesMax > 600)
        }

        @Test func aWebSocketStaysAndItsAppsSettingsAreNew() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            try replace(bench) { $1.limits.channelsPerConnectionMax = 7 }
            bench.turn(2)
            #expect(bench.app.connectionCount == 1)
            #expect(bench.server.broker.app(of: bench.slot).settings.limits.channelsPerConnectionMax == 7)
        }
    }
#endif
