#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import Testing

    @Suite("What the broker counts") struct MeterTests {
        private func sum(_ world: BrokerFixture) -> BrokerMeter {
            world.brokers.reduce(into: BrokerMeter()) { $0 += $1.meter }
        }

        @Test func aChannelMadeByOneLoopAndVacatedByAnotherIsNoChannel() {
            let world = BrokerFixture(loops: 2)
            let (first, second) = (world.connect(loop: 0), world.connect(loop: 1))
            let kind = ChannelKind(access: .private, isCache: true)
            world.subscribe(first, "private-cache-a")
            world.subscribe(second, "private-cache-a")
            #expect(sum(world).channels(kind) == 1 && sum(world).subscriptions(kind) == 2)
            #expect(sum(world).channels(ChannelKind(access: .private)) == 0)
            world.hangUp(first)
            #expect(sum(world).channels(kind) == 1 && sum(world).subscriptions(kind) == 1)
            world.hangUp(second)
            #expect(sum(world).channels(kind) == 0 && sum(world).subscriptions(kind) == 0)
            #expect(sum(world).subscribes(kind) == 2)
        }

        @Test func usersAndThoseWhoWatchThemAreNoSubscriptions() {
            let world = BrokerFixture { $0.watchlistEnabled = true }
            world.signIn(world.connect(), #"{"id":"u","watchlist":["v"]}"#)
            for access in ChannelKind.Access.allCases {
                #expect(sum(world).subscriptions(ChannelKind(access: access)) == 0)
            }
        }

        @Test func aRepeatedSubscribeIsOne() {
            let world = BrokerFixture()
            let peer = world.connect()
            for _ in 0..<3 { world.subscribe(peer, "a") }
            #expect(sum(world).subscribes(ChannelKind(access: .public)) == 1)
        }

        @Test("each limit counts what it refused") func limits() throws {
            let world = BrokerFixture {
                $0.limits.channelsMax = 2
                $0.limits.channelsPerConnectionMax = 3
                $0.limits.presenceMembersMax = 1
                $0.limits.clientEventsPerSecondMax = 1
                $0.limits.backendEventsPerSecondMax = 1
                $0.limits.readRequestsPerSecondMax = 1
                $0.limits.connectionsMax = 3
            }
            let (one, two, three) = (world.connect(), world.connect(), world.connect())
            #expect(!world.brokers[0].acquireConnectionQuota(of: world.app))
            world.subscribe(one, "presence-a", data: #"{"user_id":"1"}"#)
            world.subscribe(two, "presence-a", data: #"{"user_id":"2"}"#)
            world.subscribe(one, "private-b")
            world.subscribe(three, "c")
            world.subscribe(three, "d")
            for _ in 0..<3 { world.say(one, Text.clientEvent("client-e", "private-b", data: "1")) }
            for _ in 0..<3 { try? world.brokers[0].admitPublish(app: world.app, events: 1) }
            for _ in 0..<3 { try? world.brokers[0].admitRead(app: world.app) }
            let counts = BrokerMeter.Limit.allCases.map { sum(world).hits($0) }
            // backendEventsPerSecond, readRequestsPerSecond, clientEventsPerSecond, messagesPerDay, connections, channels, …
            #expect(counts == [2, 2, 2, 0, 1, 2, 0, 1])
        }

        @Test func deliveriesCarryTheirAppAndTheMomentOfThePublish() throws {
            let world = BrokerFixture()
            let peer = world.connect()
            world.subscribe(peer, "presence-a", data: #"{"user_id":"1"}"#)
            world.brokers[0].setTime(BrokerTime(milliseconds: 1_000_001, unixSeconds: 1_000, stamp: 77))
            try world.postOnly("e", ["presence-a"])
            let delivery = try #require(world.brokers[0].nextDelivery())
            #expect(delivery.stamp == 77 && delivery.app == 0)
            delivery.meter?.pointee.deliveries += 1
            #expect(world.brokers[0].appCounts(upTo: 1).apps.first?.deliveries == 1)
            world.applyEffects()
            // A member event is no publish.
            let other = Peer(loop: 0, slot: 1)
            #expect(world.connect() == other)
            world.brokers[0].receive(
                other.slot,
                Text.subscribe(
                    "presence-a",
                    auth: world.signer.channel("presence-a", socket: world.socket(other), data: #"{"user_id":"2"}"#),
                    data: #"{"user_id":"2"}"#))
            #expect(try #require(world.brokers[0].nextDelivery()).stamp == 0)
        }

        @Test func appsBeyondTheBoundAreCountedTogether() {
            var meters = AppMeters()
            for app in [0, 3, 9] { meters.row(app).pointee.opened = UInt64(app + 1) }
            let row = meters.row(3)
            let copy = meters.copy(upTo: 4)
            #expect(copy.apps.map(\.opened) == [1, 0, 0, 4] && copy.others.opened == 10)
            for app in 10..<200 { meters.row(app).pointee.opened = 1 }
            #expect(meters.row(3) == row, "a session keeps the address")
            #expect(meters.copy(upTo: 0).others.opened == 15 + 190)
        }
    }
#endif
