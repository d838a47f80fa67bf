#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    /// A loop whose queue is full is told of members, watched users and counts later, and of what has not changed never.
    @Suite("Loops that are behind") struct BehindTests {
        /// Two small deliveries.
        private let queueBytesMax = 2 * DeliveryPool.blockBytes

        private func fill(_ fixture: BrokerFixture, _ channel: String) throws {
            for _ in 0..<3 { try fixture.postOnly("e", [channel]) }
            #expect(fixture.shared.isOverloaded)
        }

        /// Lets the loop carry out so much that it is not full any more, while what it is owed still waits.
        private func relieve(_ fixture: BrokerFixture, loop: Int) {
            let broker = fixture.brokers[loop]
            while broker.isFull(loop) { #expect(broker.nextDelivery() != nil) }
            let isDrained = broker.inbox.isDrained
            #expect(!isDrained, "something waits")
        }

        private func counts(_ frames: [String]) -> [Int] {
            frames.compactMap { Text.between(#"subscription_count\":"#, "}", in: $0).flatMap { Int($0) } }
        }

        @Test func noCountIsPostedToAFullQueueAndItComesWithATickWhenThereIsRoom() throws {
            let fixture = BrokerFixture(queueBytesMax: queueBytesMax) { $0.subscriptionCountEnabled = true }
            let peers = (0..<3).map { _ in fixture.connect() }
            for peer in peers[..<2] { fixture.subscribe(peer, "room") }
            _ = fixture.hear(peers[0])
            try fill(fixture, "room")
            let queued = fixture.shared.queuedBytes(of: 0)
            fixture.brokers[0].receive(peers[2].slot, Text.subscribe("room"))
            #expect(fixture.shared.queuedBytes(of: 0) == queued)
            fixture.pass(milliseconds: 5_001)
            for _ in 0..<3 { fixture.brokers[0].tick() }
            #expect(fixture.shared.queuedBytes(of: 0) == queued, "it is due, and the queue is full")
            fixture.applyEffects()
            #expect(counts(fixture.hear(peers[0])).isEmpty)
            fixture.tick()
            #expect(counts(fixture.hear(peers[0])) == [3])
            fixture.tick()
            #expect(counts(fixture.hear(peers[0])).isEmpty)
        }

        @Test func aMemberThatCameBackBeforeTheLoopWasToldOfItsGoingIsNoNews() throws {
            let fixture = BrokerFixture(loops: 2, queueBytesMax: queueBytesMax)
            let (stays, moves) = (fixture.connect(loop: 1), fixture.connect())
            let data = #"{"user_id":"moves","user_info":1}"#
            fixture.subscribe(stays, "presence-a", data: #"{"user_id":"stays"}"#)
            fixture.subscribe(moves, "presence-a", data: data)
            _ = fixture.hear(stays)
            try fill(fixture, "presence-a")
            fixture.brokers[0].receive(moves.slot, Text.unsubscribe("presence-a"))
            relieve(fixture, loop: 1)
            let auth = fixture.signer.channel("presence-a", socket: fixture.socket(moves), data: data)
            fixture.brokers[0].receive(moves.slot, Text.subscribe("presence-a", auth: auth, data: data))
            fixture.applyEffects()
            #expect(fixture.roster("presence-a") == ["stays", "moves"])
            #expect(fixture.hear(stays).filter { $0.contains("member_") }.isEmpty)
        }

        @Test(arguments: [true, false]) func aWatchedUserIsToldAsItIsInTheEnd(comesBack: Bool) throws {
            let fixture = BrokerFixture(loops: 2, queueBytesMax: queueBytesMax)
            let (watcher, user, again) = (fixture.connect(loop: 1), fixture.connect(), fixture.connect())
            fixture.signIn(watcher, #"{"id":"w","watchlist":["u1"]}"#)
            fixture.subscribe(watcher, "room")
            fixture.signIn(user, #"{"id":"u1"}"#)
            #expect(fixture.hear(watcher).last == Text.watchlist(online: ["u1"], offline: []))
            try fill(fixture, "room")
            fixture.brokers[0].close(slot: user.slot)
            fixture.brokers[0].settleDepartures(limit: .max)
            relieve(fixture, loop: 1)
            if comesBack {
                let data = #"{"id":"u1"}"#
                let auth = fixture.signer.user(data, socket: fixture.socket(again))
                fixture.brokers[0].receive(again.slot, Text.signIn(auth: auth, userData: data))
            }
            fixture.applyEffects()
            let told = fixture.hear(watcher).filter { $0.contains("watchlist_events") }
            #expect(told == (comesBack ? [] : [Text.watchlist(online: [], offline: ["u1"])]))
        }

        @Test func whatIsOwedIsToldInSlicesAndInAsFewTakesAsTheQueueHasRoomFor() throws {
            let blocks = 64
            let fixture = BrokerFixture(loops: 2, queueBytesMax: blocks * DeliveryPool.blockBytes)
            let broker = fixture.brokers[1]
            broker.slices.changes = 2
            let stays = fixture.connect(loop: 1)
            fixture.subscribe(stays, "presence-a", data: #"{"user_id":"stays"}"#)
            let members = (0..<90).map { _ in fixture.connect() }
            for _ in 0...blocks { try fixture.postOnly("e", ["presence-a"]) }
            for (number, peer) in members.enumerated() {
                let data = #"{"user_id":"u\#(number)"}"#
                let auth = fixture.signer.channel("presence-a", socket: fixture.socket(peer), data: data)
                fixture.brokers[0].receive(peer.slot, Text.subscribe("presence-a", auth: auth, data: data))
            }
            var (told, most) = (0, 0)
            let before = broker.inbox.drainNumber
            while broker.hasWork {
                guard let delivery = broker.nextDelivery() else { continue }
                guard Text.payload(of: delivery.bytes)?.contains("member_added") == true else { continue }
                told += 1
                most = max(most, fixture.shared.queuedBytes(of: 1))
            }
            #expect(told == 90)
            #expect(most <= (blocks / 2 + 2 * broker.slices.changes) * DeliveryPool.blockBytes)
            #expect(broker.inbox.drainNumber - before < 20)
        }

        @Test func whoComesToALoopThatWasBehindAndThenLeftAltogetherSeesEverybody() throws {
            let fixture = BrokerFixture(loops: 2, queueBytesMax: queueBytesMax)
            let (first, last) = (fixture.connect(loop: 1), fixture.connect(loop: 1))
            let others = (0..<3).map { _ in fixture.connect() }
            fixture.subscribe(first, "presence-a", data: #"{"user_id":"first"}"#)
            fixture.subscribe(others[0], "presence-a", data: #"{"user_id":"o0"}"#)
            try fill(fixture, "presence-a")
            let data = #"{"user_id":"o1"}"#
            let auth = fixture.signer.channel("presence-a", socket: fixture.socket(others[1]), data: data)
            fixture.brokers[0].receive(others[1].slot, Text.subscribe("presence-a", auth: auth, data: data))
            fixture.brokers[1].receive(first.slot, Text.unsubscribe("presence-a"))
            fixture.applyEffects()
            let answer = try #require(fixture.subscribe(last, "presence-a", data: #"{"user_id":"last"}"#).first)
            for user in ["o0", "o1", "last"] { #expect(answer.contains(#"\"\#(user)\""#), "\(answer)") }
            fixture.subscribe(others[2], "presence-a", data: #"{"user_id":"o2"}"#)
            #expect(fixture.hear(last) == [Text.memberAdded("presence-a", "o2", info: nil)])
        }

        @Test func aWatcherThatComesWhileItsLoopIsBehindIsAnsweredAsTheOthersWereTold() throws {
            let fixture = BrokerFixture(loops: 2, queueBytesMax: queueBytesMax)
            let (watcher, late, user) = (fixture.connect(loop: 1), fixture.connect(loop: 1), fixture.connect())
            fixture.signIn(watcher, #"{"id":"w","watchlist":["u1"]}"#)
            fixture.subscribe(watcher, "room")
            fixture.signIn(user, #"{"id":"u1"}"#)
            _ = fixture.hear(watcher)
            try fill(fixture, "room")
            fixture.brokers[0].close(slot: user.slot)
            fixture.brokers[0].settleDepartures(limit: .max)
            relieve(fixture, loop: 1)
            let data = #"{"id":"v","watchlist":["u1"]}"#
            fixture.brokers[1].receive(
                late.slot, Text.signIn(auth: fixture.signer.user(data, socket: fixture.socket(late)), userData: data))
            fixture.applyEffects()
            let changes = [Text.watchlist(online: ["u1"], offline: []), Text.watchlist(online: [], offline: ["u1"])]
            #expect(
                fixture.hear(late).filter { $0.contains("watchlist_events") } == changes, "it hears of the going too")
        }
    }
#endif
