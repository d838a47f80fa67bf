#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    /// Each test keeps joins and leaves between two deliveries of one turn, in an order in which the late joins are not the
    /// last ones of the list, so that the recipients are chosen anew and not only cut off.
    @Suite("Who joined before a delivery gets it") struct LateJoinTests {
        private let fixture = BrokerFixture()
        private var broker: LoopBroker { fixture.brokers[0] }

        /// Peers that are in the room, where something has been posted already: before that no join can be late.
        private func settled(_ count: Int) throws -> [Peer] {
            let peers = (0..<count).map { _ in fixture.connect() }
            for peer in peers { fixture.subscribe(peer, "room") }
            try fixture.publish("first", ["room"])
            for peer in peers { _ = fixture.hear(peer) }
            return peers
        }

        private func join(_ peer: Peer) { broker.receive(peer.slot, Text.subscribe("room")) }
        private func leave(_ peer: Peer) { broker.receive(peer.slot, Text.unsubscribe("room")) }
        private func post(_ name: String) throws { try fixture.postOnly(name, ["room"]) }

        /// Who gets the next delivery.
        private func next() throws -> Set<Peer> {
            let delivery = try #require(broker.nextDelivery())
            let slots = Array(delivery.recipients)
            #expect(Set(slots).count == slots.count)
            return Set(slots.map { Peer(loop: 0, slot: $0) })
        }

        @Test func whoLeavesBetweenTwoDeliveriesGetsOnlyTheFirst() throws {
            let (peers, late) = (try settled(2), (0..<2).map { _ in fixture.connect() })
            for name in ["one", "two"] { try post(name) }
            for peer in late { join(peer) }
            leave(late[0])
            #expect(try next() == Set(peers))
            leave(peers[1])
            #expect(try next() == [peers[0]])
        }

        @Test func theAnswerForOneChannelIsNotTakenForAnother() throws {
            let rooms = ["room", "hall"]
            let peers = (0..<2).map { _ in rooms.map { _ in fixture.connect() } }
            let late = (0..<2).map { _ in fixture.connect() }
            for pair in peers { for (peer, room) in zip(pair, rooms) { fixture.subscribe(peer, room) } }
            try fixture.publish("first", rooms)
            try post("one")
            try fixture.postOnly("one", ["hall"])
            for peer in late { for room in rooms { broker.receive(peer.slot, Text.subscribe(room)) } }
            for room in rooms { broker.receive(late[0].slot, Text.unsubscribe(room)) }
            #expect(try next() == Set(peers.map { $0[0] }))
            #expect(try next() == Set(peers.map { $0[1] }))
        }

        @Test func whoJoinedBetweenTwoTakesGetsWhatWasPostedAfterwards() throws {
            let (peers, late) = (try settled(1), (0..<4).map { _ in fixture.connect() })
            for name in ["one", "another"] { try post(name) }
            for peer in late[..<2] { join(peer) }
            leave(late[0])
            #expect(try next() == Set(peers))
            try post("two")
            for peer in late[2...] { join(peer) }
            leave(late[2])
            #expect(try next() == Set(peers), "posted before anybody of them came")
            #expect(try next() == [peers[0], late[1]], "taken after the joins of the first take were settled")
        }

        @Test func joinsThatAreForgottenMeanwhileDoNotMoveTheOthers() throws {
            let peers = try settled(1)
            let (gone, early, one) = (
                (0..<3).map { _ in fixture.connect() }, (0..<3).map { _ in fixture.connect() }, fixture.connect()
            )
            let (crowd, last) = ((0..<40).map { _ in fixture.connect() }, fixture.connect())
            for peer in gone { join(peer) }
            try post("one")
            for peer in early { join(peer) }
            try post("two")
            for peer in [one] + crowd { join(peer) }
            for peer in gone + crowd { leave(peer) }
            #expect(try next() == Set(peers))
            // So many joins are of peers who have left that they are forgotten with this one.
            join(last)
            #expect(
                broker.memberships[app: 0].channels[0].pendingJoins.map(\.slot) == (early + [one, last]).map(\.slot))
            #expect(try next() == Set(peers + early))
        }

        @Test func whoLeftAndCameBackIsAsLateAsItsLastJoin() throws {
            let (peers, late, crowd) = (try settled(1), fixture.connect(), (0..<40).map { _ in fixture.connect() })
            join(late)
            try post("between")
            leave(late)
            join(late)
            for peer in crowd {
                join(peer)
                leave(peer)
            }
            join(crowd[0])
            #expect(
                broker.memberships[app: 0].channels[0].pendingJoins.count < 10,
                "the joins of those who left are forgotten")
            #expect(try next() == Set(peers))
        }

        @Test func placesThatWereLeftAgainAreNotRememberedForEver() throws {
            let fixture = BrokerFixture(loops: 2)
            let (stays, moves) = (fixture.connect(loop: 1), fixture.connect())
            fixture.subscribe(stays, "room")
            try fixture.publish("first", ["room"])
            for _ in 0..<5_000 {
                fixture.brokers[0].receive(moves.slot, Text.subscribe("room"))
                fixture.brokers[0].receive(moves.slot, Text.unsubscribe("room"))
                #expect(fixture.brokers[0].inbox.unsettledCount <= UnsettledJoins.countMin)
            }
            fixture.applyEffects()
            #expect(fixture.brokers[0].inbox.unsettledCount == 0)
        }

        @Test func theNewestJoinOfEachSlotIsKeptInOrder() {
            var filter = RecipientFilter()
            defer { filter.deallocate() }
            let joins = [(1, 1), (2, 2), (1, 3), (9, 4), (3, 5), (2, 6)].map { slot, sequence in
                LocalChannel.PendingJoin(slot: UInt32(slot), sequence: UInt64(sequence), drainNumber: 0)
            }
            let list: [UInt32] = [3, 2, 1, 700]
            for _ in 0..<2 {
                let kept = list.withUnsafeBufferPointer { filter.newest(of: joins, in: $0) }
                #expect(kept.map(\.sequence) == [3, 5, 6])
            }
        }

        @Test func anAnswerToARepeatedSubscribeIsNotGivenToALaterSubscription() throws {
            // The other one keeps the room's place while nobody else is in it.
            let peer = try settled(2)[0]
            join(peer)
            leave(peer)
            join(peer)
            fixture.applyEffects()
            #expect(fixture.hear(peer) == [Text.succeeded("room")], "only the one of the new subscription")
            join(peer)
            fixture.applyEffects()
            #expect(fixture.hear(peer) == [Text.succeeded("room")], "a repeated one is answered")
        }
    }
#endif
