#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    /// A loop whose queue is full is told of members, watched users and counts later, and of what has not changed never.
    @Suite("Loops that are behind") struct BehindTests {
        /// Two small deliveries.
        private let queueBytesMax = 2 * DeliveryPool.blockBytes

        private func fill(_ desk: Desk, _ channel: String) throws {
            for _ in 0..<3 { try desk.postOnly("e", [channel]) }
            #expect(desk.shared.isOverloaded)
        }

        /// Lets the loop carry out so much that it is not full any more, while what it is owed still waits.
        private func relieve(_ desk: Desk, loop: Int) {
            let broker = desk.brokers[loop]
            while broker.isFull(loop) { #expect(broker.nextDelivery() != nil) }
            #expect(broker.chain != nil, "something waits")
        }

        private func counts(_ frames: [String]) -> [Int] {
            frames.compactMap { Text.between(#"subscription_count\":"#, "}", in: $0).flatMap { Int($0) } }
        }

        @Test func noCountIsPostedToAFullQueueAndItComesWithATickWhenThereIsRoom() throws {
            let desk = Desk(queueBytesMax: queueBytesMax) { $0.subscriptionCountEnabled = true }
            let peers = (0..<3).map { _ in desk.connect() }
            for peer in peers[..<2] { desk.subscribe(peer, "room") }
            _ = desk.hear(peers[0])
            try fill(desk, "room")
            let queued = desk.shared.queuedBytes(of: 0)
            desk.brokers[0].receive(peers[2].slot, Text.subscribe("room"))
            #expect(desk.shared.queuedBytes(of: 0) == queued)
            desk.pass(milliseconds: 5_001)
            for _ in 0..<3 { desk.brokers[0].tick() }
            #expect(desk.shared.queuedBytes(of: 0) == queued, "it is due, and the queue is full")
            desk.carryOut()
            #expect(counts(desk.hear(peers[0])).isEmpty)
            desk.tick()
            #expect(counts(desk.hear(peers[0])) == [3])
            desk.tick()
            #expect(counts(desk.hear(peers[0])).isEmpty)
        }

        @Test func aMemberThatCameBackBeforeTheLoopWasToldOfItsGoingIsNoNews() throws {
            let desk = Desk(loops: 2, queueBytesMax: queueBytesMax)
            let (stays, moves) = (desk.connect(loop: 1), desk.connect())
            let data = #"{"user_id":"moves","user_info":1}"#
            desk.subscribe(stays, "presence-a", data: #"{"user_id":"stays"}"#)
            desk.subscribe(moves, "presence-a", data: data)
            _ = desk.hear(stays)
            try fill(desk, "presence-a")
            desk.brokers[0].receive(moves.slot, Text.unsubscribe("presence-a"))
            relieve(desk, loop: 1)
            let auth = desk.signer.channel("presence-a", socket: desk.socket(moves), data: data)
            desk.brokers[0].receive(moves.slot, Text.subscribe("presence-a", auth: auth, data: data))
            desk.carryOut()
            #expect(desk.roster("presence-a") == ["stays", "moves"])
            #expect(desk.hear(stays).filter { $0.contains("member_") }.isEmpty)
        }

        @Test(arguments: [true, false]) func aWatchedUserIsToldAsItIsInTheEnd(comesBack: Bool) throws {
            let desk = Desk(loops: 2, queueBytesMax: queueBytesMax)
            let (watcher, user, again) = (desk.connect(loop: 1), desk.connect(), desk.connect())
            desk.signIn(watcher, #"{"id":"w","watchlist":["u1"]}"#)
            desk.subscribe(watcher, "room")
            desk.signIn(user, #"{"id":"u1"}"#)
            #expect(desk.hear(watcher).last == Text.watchlist(online: ["u1"], offline: []))
            try fill(desk, "room")
            desk.brokers[0].close(slot: user.slot)
            desk.brokers[0].settleDepartures(limit: .max)
            relieve(desk, loop: 1)
            if comesBack {
                let data = #"{"id":"u1"}"#
                let auth = desk.signer.user(data, socket: desk.socket(again))
                desk.brokers[0].receive(again.slot, Text.signIn(auth: auth, userData: data))
            }
            desk.carryOut()
            let told = desk.hear(watcher).filter { $0.contains("watchlist_events") }
            #expect(told == (comesBack ? [] : [Text.watchlist(online: [], offline: ["u1"])]))
        }

        @Test func whatIsOwedIsToldInSlicesAndInAsFewTakesAsTheQueueHasRoomFor() throws {
            let blocks = 64
            let desk = Desk(loops: 2, queueBytesMax: blocks * DeliveryPool.blockBytes)
            let broker = desk.brokers[1]
            broker.changesPerSlice = 2
            let stays = desk.connect(loop: 1)
            desk.subscribe(stays, "presence-a", data: #"{"user_id":"stays"}"#)
            let members = (0..<90).map { _ in desk.connect() }
            for _ in 0...blocks { try desk.postOnly("e", ["presence-a"]) }
            for (number, peer) in members.enumerated() {
                let data = #"{"user_id":"u\#(number)"}"#
                let auth = desk.signer.channel("presence-a", socket: desk.socket(peer), data: data)
                desk.brokers[0].receive(peer.slot, Text.subscribe("presence-a", auth: auth, data: data))
            }
            var (told, most) = (0, 0)
            let before = broker.takes
            while broker.hasWork {
                guard let delivery = broker.nextDelivery() else { continue }
                guard Text.payload(of: delivery.bytes)?.contains("member_added") == true else { continue }
                told += 1
                most = max(most, desk.shared.queuedBytes(of: 1))
            }
            #expect(told == 90)
            #expect(most <= (blocks / 2 + 2 * broker.changesPerSlice) * DeliveryPool.blockBytes)
            #expect(broker.takes - before < 20)
        }

        @Test func whoComesToALoopThatWasBehindAndThenLeftAltogetherSeesEverybody() throws {
            let desk = Desk(loops: 2, queueBytesMax: queueBytesMax)
            let (first, last) = (desk.connect(loop: 1), desk.connect(loop: 1))
            let others = (0..<3).map { _ in desk.connect() }
            desk.subscribe(first, "presence-a", data: #"{"user_id":"first"}"#)
            desk.subscribe(others[0], "presence-a", data: #"{"user_id":"o0"}"#)
            try fill(desk, "presence-a")
            let data = #"{"user_id":"o1"}"#
            let auth = desk.signer.channel("presence-a", socket: desk.socket(others[1]), data: data)
            desk.brokers[0].receive(others[1].slot, Text.subscribe("presence-a", auth: auth, data: data))
            desk.brokers[1].receive(first.slot, Text.unsubscribe("presence-a"))
            desk.carryOut()
            let answer = try #require(desk.subscribe(last, "presence-a", data: #"{"user_id":"last"}"#).first)
            for user in ["o0", "o1", "last"] { #expect(answer.contains(#"\"\#(user)\""#), "\(answer)") }
            desk.subscribe(others[2], "presence-a", data: #"{"user_id":"o2"}"#)
            #expect(desk.hear(last) == [Text.memberAdded("presence-a", "o2", info: nil)])
        }

        @Test func aWatcherThatComesWhileItsLoopIsBehindIsAnsweredAsTheOthersWereTold() throws {
            let desk = Desk(loops: 2, queueBytesMax: queueBytesMax)
            let (watcher, late, user) = (desk.connect(loop: 1), desk.connect(loop: 1), desk.connect())
            desk.signIn(watcher, #"{"id":"w","watchlist":["u1"]}"#)
            desk.subscribe(watcher, "room")
            desk.signIn(user, #"{"id":"u1"}"#)
            _ = desk.hear(watcher)
            try fill(desk, "room")
            desk.brokers[0].close(slot: user.slot)
            desk.brokers[0].settleDepartures(limit: .max)
            relieve(desk, loop: 1)
            let data = #"{"id":"v","watchlist":["u1"]}"#
            desk.brokers[1].receive(
                late.slot, Text.signIn(auth: desk.signer.user(data, socket: desk.socket(late)), userData: data))
            desk.carryOut()
            let changes = [Text.watchlist(online: ["u1"], offline: []), Text.watchlist(online: [], offline: ["u1"])]
            #expect(desk.hear(late).filter { $0.contains("watchlist_events") } == changes, "it hears of the going too")
        }
    }
#endif
