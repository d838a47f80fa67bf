#if DEBUG
    @testable import BrokerCore
    @testable import BrokerServer
    import Configuration
    import Crypto
    import Glibc
    import Testing

    @Suite("Reloading the settings") struct ReloadTests {
        // MARK: When

        @Test func aReloadIsDueAtOnceAndThenNotBeforeThePauseIsOver() {
            var pace = ReloadPace()
            func takes(_ now: UInt64) -> Bool { pace.take(milliseconds: now) }
            #expect(pace.wait(milliseconds: 0) == nil)
            #expect(!takes(0))
            pace.want()
            #expect(pace.wait(milliseconds: 5) == 0)
            #expect(takes(5))
            #expect(!takes(5), "once")
            pace.want()
            pace.ended(milliseconds: 1_000)
            #expect(pace.wait(milliseconds: 1_000) == 100 && pace.wait(milliseconds: 1_040) == 60)
            #expect(!takes(1_099))
            #expect(takes(1_100))
        }

        @Test func aStormIsFewReloadsAndOneAfterItsLastSignal() {
            var (pace, reloads, lastBegan) = (ReloadPace(), 0, UInt64(0))
            for now in UInt64(0)...1_200 {
                if now < 1_000 { pace.want() }
                guard pace.take(milliseconds: now) else { continue }
                (reloads, lastBegan) = (reloads + 1, now)
                pace.ended(milliseconds: now)
            }
            #expect(reloads == 11 && lastBegan == 1_000)
        }

        // MARK: What changed

        private func app(_ id: String, _ secret: String = "secret", enabled: Bool = true) -> AppSettings {
            var app = AppSettings(id: id, keys: [.init(key: id + "-key", secret: secret)])
            app.isEnabled = enabled
            return app
        }

        private func changes(_ before: [AppSettings], _ after: [AppSettings]) throws -> AppChanges {
            let broker = SharedBroker(
                settings: before, loopCount: 1,
                secrets: BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4)), headroomBytes: 0)
            let first = broker.directory
            return AppChanges(from: first, to: try broker.replaceApps(after))
        }

        @Test func whatChangedIsCounted() throws {
            let before = ["a", "b", "c", "d"].map { app($0) }
            var limited = app("a")
            limited.limits.channelsMax = 5
            let after = [limited, app("b", "other"), app("c", enabled: false), app("e")]
            let changes = try changes(before, after)
            #expect(changes.text == "4 apps, 1 added, 3 changed, 1 disabled, 1 removed")
        }

        @Test func theSameSettingsChangeNothing() throws {
            let same = try changes([app("a", enabled: false), app("b")], [app("b"), app("a", enabled: false)])
            #expect(same.text == "2 apps, none changed")
        }

        @Test func anAppThatIsClosedTakesNoClientEvents() throws {
            var open = app("a")
            open.clientEventsEnabled = true
            var closed = open
            closed.isEnabled = false
            let broker = SharedBroker(
                settings: [open], loopCount: 1,
                secrets: BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4)), headroomBytes: 0)
            #expect(broker.apps[0].settings.clientEventsEnabled && !broker.apps[0].isClosed)
            for (settings, isRemoved) in [([closed], false), ([app("b")], true)] {
                let app = try broker.replaceApps(settings).apps[0]
                #expect(app.isClosed && app.isRemoved == isRemoved && !app.settings.clientEventsEnabled)
                _ = try broker.replaceApps([open])
            }
            #expect(broker.apps[0].settings.clientEventsEnabled && !broker.apps[0].isClosed)
        }

        // MARK: What is told

        @Test(arguments: ["", "one\n", "two\nlines, ünd mehr\n", String(repeating: "x", count: 70_000)])
        func theBoardIsReadAsItWasWritten(text: String) throws {
            var status = ReloadStatus()
            (status.begun, status.ended, status.isDone, status.text) = (12, 11, text.isEmpty, text)
            let read = try #require(ReloadStatus(status.encoded))
            #expect(read.begun == 12 && read.ended == 11 && read.isDone == text.isEmpty)
            #expect(
                text.utf8.count > ReloadStatus.textBytesMax ? text.hasPrefix(read.text.dropLast(2)) : read.text == text)
        }

        /// Who reads while it is written sees a part of each.
        @Test func aBoardThatIsNotWholeIsNotRead() {
            var (old, new) = (ReloadStatus(), ReloadStatus())
            (old.text, new.begun, new.ended, new.text) = ("before\n", 1, 1, "after, and longer\n")
            let (from, to) = (old.encoded, new.encoded)
            for cut in 0...to.count {
                let torn = Array(to[..<cut]) + Array(from.dropFirst(cut))
                if let read = ReloadStatus(torn) { #expect(read == old || read == new, "cut at \(cut)") }
                if cut < to.count { #expect(ReloadStatus(Array(to[..<cut])) == nil) }
            }
            #expect(ReloadStatus([]) == nil)
        }

        // MARK: The whole

        private static func loaded(_ text: String) -> Result<LoadedSettings, ConfigurationFailure> {
            LoadedSettings.load(arguments: ["-c", "c.json"], environment: [:]) { _ in .success(Array(text.utf8)) }
        }

        /// Runs a reload beside a loop that turns, as in a server.
        private func reload(_ bench: LoopBench, _ text: String) {
            // Nobody waits for a loop that this thread turns.
            bench.server.state.shared.handles = []
            Reload(bench.server.state.shared) { Self.loaded(text) }.run()
            bench.turn(2)
        }

        @Test func aGoodFileIsInForceAndCounted() throws {
            let bench = try LoopBench()
            bench.turn(2)
            reload(bench, #"{"apps":[{"id":"app-id","key":"app-key","secret":"app-secret","limits":{"channels":3}}]}"#)
            let reloads = bench.server.state.shared.meters.reloads
            #expect(reloads.done == 1 && reloads.refused == 0)
            #expect(bench.server.broker.directory.apps[0].settings.limits.channelsMax == 3)
        }

        @Test func aBadFileChangesNothingAndIsCounted() throws {
            let bench = try LoopBench()
            bench.turn(2)
            reload(bench, #"{"apps":[{"id":"other","key":"k","secret":"s"}],"keepAliveSeconds":0}"#)
            let reloads = bench.server.state.shared.meters.reloads
            #expect(reloads.done == 0 && reloads.refused == 1)
            #expect(bench.server.broker.directory.apps.map(\.settings.id) == ["app-id"])
            #expect(bench.server.state.settings.keepAliveSeconds == 75)
        }

        @Test func nothingIsLoadedWhileTheServerDrains() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.state.shared.isDraining = true
            reload(bench, #"{"apps":[{"id":"other","key":"k","secret":"s"}]}"#)
            #expect(bench.server.state.shared.meters.reloads.refused == 1)
            #expect(bench.server.broker.directory.apps.map(\.settings.id) == ["app-id"])
        }

        @Test(arguments: [
            (#"{"apps":[{"id":"app-id","key":"app-key","secret":"app-secret","enabled":false}]}"#, "4003"),
            (#"{"apps":[{"id":"other","key":"k","secret":"s"}]}"#, "4001"),
        ])
        func clientsOfAClosedAppLeaveWithinTheWindow(text: String, code: String) throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            #expect(bench.takeHeard().contains("connection_established"))
            reload(bench, text)
            #expect(bench.app.connectionCount == 1, "not at once")
            bench.pass(milliseconds: 8_200)
            #expect(bench.app.connectionCount == 0 && bench.text.contains("\"code\":\(code)"))
        }

        @Test func whoseAppIsBackInTimeStays() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            reload(bench, #"{"apps":[{"id":"other","key":"k","secret":"s"}]}"#)
            reload(bench, #"{"apps":[{"id":"app-id","key":"app-key","secret":"app-secret"}]}"#)
            bench.pass(milliseconds: 10_000)
            #expect(bench.app.connectionCount == 1)
        }

        @Test func whoIsSentAwayByADrainThatEndsEarlyMayStay() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.connect()
            bench.server.state.shared.isDraining = true
            bench.pass(milliseconds: 200)
            bench.server.state.shared.isDraining = false
            bench.pass(milliseconds: 10_000)
            #expect(bench.app.connectionCount == 1)
            bench.server.state.shared.isDraining = true
            bench.pass(milliseconds: 8_200)
            #expect(bench.app.connectionCount == 0 && bench.text.contains("4200"))
        }

        /// Without `Reload`, which sets the level of all tests.
        @Test func theLevelOfTheLogGoesToEveryPart() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let server = bench.server
            for level in ["debug", "info"] {
                let app = #"{"id":"app-id","key":"app-key","secret":"app-secret"}"#
                let settings = try Self.loaded(#"{"apps":[\#(app)],"logLevel":"\#(level)"}"#).get().settings
                bench.server.state.shared.handles = []
                try server.state.shared.replaceSettings(settings)
                bench.turn(1)
                let parts = [server.log.isTracing, server.routes.api.isTracing, server.broker.effects.notes.isTracing]
                #expect(parts == Array(repeating: level == "debug", count: 3))
            }
        }
    }
#endif
