#if DEBUG
    import PusherProtocol
    import TestSupport
    import Testing

    @testable import BrokerCore

    @Suite("Apps that are replaced") struct AppDirectoryTests {
        private static func settings(_ id: String, key: String? = nil, aliases: [String] = []) -> AppSettings {
            var app = AppSettings(id: id, keys: [.init(key: key ?? id + "-key", secret: "secret")])
            app.aliases = aliases
            return app
        }

        private static func shared(_ ids: String...) -> SharedBroker {
            SharedBroker(settings: ids.map { settings($0) }, loopCount: 1, seed: 1)
        }

        private func app(_ directory: AppDirectory, key: String) -> Int? {
            let key = Array(key.utf8)
            return directory.app(key: key.span)?.index
        }

        private func app(_ directory: AppDirectory, id: String) -> Int? {
            let id = Array(id.utf8)
            return directory.app(id: id.span)?.index
        }

        @Test func numbersOnlyGrowAndStayWithTheirApps() throws {
            let shared = Self.shared("a", "b")
            let next = try shared.replaceApps([Self.settings("c"), Self.settings("b", key: "new", aliases: ["bb"])])
            #expect(next === shared.directory && next.apps.map(\.settings.id) == ["a", "b", "c"])
            #expect(next.apps.map(\.isRemoved) == [true, false, false] && next.apps.map(\.index) == [0, 1, 2])
            #expect(app(next, id: "a") == nil && app(next, key: "a-key") == nil, "a removed app is unknown")
            #expect(app(next, id: "b") == 1 && app(next, id: "bb") == 1 && app(next, key: "new") == 1)
            #expect(app(next, key: "b-key") == nil && app(next, key: "c-key") == 2)
            let again = try shared.replaceApps([Self.settings("a", key: "back")])
            #expect(app(again, key: "back") == 0 && app(again, id: "bb") == nil && again.apps.count == 3)
        }

        @Test func newAppsGetTheirNumbersInTheOrderOfTheSettings() throws {
            let shared = Self.shared("a")
            let next = try shared.replaceApps(["d", "a", "c", "b"].map { Self.settings($0) })
            #expect(next.apps.map(\.settings.id) == ["a", "d", "c", "b"])
        }

        @Test func anotherAppMayHaveTheKeyOfOneThatWasRemoved() throws {
            let shared = Self.shared("a")
            let next = try shared.replaceApps([Self.settings("b", key: "a-key", aliases: ["a"])])
            #expect(app(next, key: "a-key") == 1 && app(next, id: "a") == 1)
        }

        @Test func whereNoNumberIsLeftNothingChanges() throws {
            let all = (0..<AppDirectory.appsMax).map { Self.settings("\($0)") }
            let shared = SharedBroker(settings: all, loopCount: 1, seed: 1)
            let before = shared.directory
            #expect(throws: AppDirectory.NumbersUsedUp.self) { try shared.replaceApps([Self.settings("one more")]) }
            #expect(shared.directory === before && app(before, id: "0") == 0)
            #expect(app(try shared.replaceApps([Self.settings("7")]), id: "7") == 7)
        }

        @Test func whatIsCountedGoesOnUnderOtherLimits() throws {
            let fixture = BrokerFixture { $0.limits.connectionsMax = 3 }
            _ = (fixture.connect(), fixture.connect())
            try fixture.replace { $0.limits.connectionsMax = 2 }
            #expect(fixture.app.connectionCount == 2)
            #expect(!fixture.brokers[0].acquireConnectionQuota(of: fixture.app))
            try fixture.replace { $0.limits.connectionsMax = 3 }
            #expect(fixture.brokers[0].acquireConnectionQuota(of: fixture.app))
            #expect(!fixture.brokers[0].acquireConnectionQuota(of: fixture.app))
        }

        @Test func aRateGoesOnWithinItsSecond() throws {
            let fixture = BrokerFixture { $0.limits.backendEventsPerSecondMax = 5 }
            try fixture.brokers[0].admitPublish(app: fixture.app, events: 4)
            try fixture.replace { $0.limits.backendEventsPerSecondMax = 6 }
            #expect(throws: LoopBroker.PublishRefusal.rate(limit: 6)) {
                try fixture.brokers[0].admitPublish(app: fixture.app, events: 3)
            }
            try fixture.brokers[0].admitPublish(app: fixture.app, events: 2)
        }

        @Test func theRateOfQuestionsAndTheDaysMessagesGoOnToo() throws {
            let fixture = BrokerFixture {
                ($0.limits.readRequestsPerSecondMax, $0.limits.messagesPerDayMax) = (1, 5)
            }
            let broker = fixture.brokers[0]
            try broker.admitRead(app: fixture.app)
            try broker.admitPublish(app: fixture.app, events: 4)
            try fixture.replace { $0.limits.channelsMax = 7 }
            #expect(throws: LoopBroker.PublishRefusal.rate(limit: 1)) { try broker.admitRead(app: fixture.app) }
            #expect(throws: LoopBroker.PublishRefusal.dailyQuota(limit: 5)) {
                try broker.admitPublish(app: fixture.app, events: 2)
            }
            try broker.admitPublish(app: fixture.app, events: 1)
        }

        @Test func whoWantsEdgesIsToldOnUnderOtherSettings() throws {
            let fixture = BrokerFixture()
            let registered = fixture.shared.registerConsumer(queueBytesMax: 1 << 20, wake: {})
            let consumer = try #require(registered)
            consumer.setInterest([.occupied], in: fixture.app)
            try fixture.replace { $0.limits.channelsMax = 7 }
            fixture.subscribe(fixture.connect(), "open")
            var numbers: [UInt64] = []
            consumer.take { edge, _ in numbers.append(edge.number) }
            #expect(numbers == [1])
            consumer.setInterest([], in: fixture.app)
            fixture.subscribe(fixture.connect(), "another")
            consumer.take { edge, _ in numbers.append(edge.number) }
            #expect(numbers == [1])
        }

        @Test func connectionsOfARemovedAppStayAndHear() throws {
            let fixture = BrokerFixture()
            let peer = fixture.connect()
            fixture.subscribe(peer, "open")
            let old = fixture.app
            try fixture.replace { $0.id = "another" }
            let broker = fixture.brokers[0]
            #expect(broker.app(of: peer.slot).isRemoved && broker.app(of: peer.slot).index == old.index)
            try fixture.publish("e", ["open"])
            #expect(fixture.hear(peer).count == 1)
            #expect(
                fixture.subscribe(peer, "private-x").contains { $0.contains("subscription_error") }, "it has no key")
            fixture.hangUp(peer)
            #expect(old.connectionCount == 0 && InvariantWalker.fault(in: fixture.brokers) == nil)
        }

        @Test func aLoweredBoundOfCachedEventsIsReached() throws {
            let fixture = BrokerFixture { $0.limits.cacheChannelsMax = 640 }
            for number in 0..<640 { try fixture.publish("e", ["cache-\(number)"]) }
            try fixture.replace { $0.limits.cacheChannelsMax = 64 }
            for number in 0..<2_000 { try fixture.publish("e", ["cache-new-\(number)"]) }
            let most = fixture.app.registry.shards.map { $0.withLock { $0.cachedCount } }.max()
            #expect(most == 1)
        }
    }
#endif
