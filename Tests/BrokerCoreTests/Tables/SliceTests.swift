#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("Work in slices") struct SliceTests {
        @Test(arguments: 0..<8) func aSliceQueueIsFirstInFirstOut(seed: Int) {
            var random = SeededRandom(seed: seed)
            var queue = SliceQueue<Int>()
            var (next, wanted) = (0, 0)
            for _ in 0..<20_000 {
                if random.oneIn(2) {
                    queue.append(next)
                    next += 1
                } else {
                    let got = queue.popFirst()
                    #expect(got == (wanted < next ? wanted : nil))
                    wanted = min(wanted + 1, next)
                }
                #expect(queue.count == next - wanted && queue.isEmpty == (next == wanted))
                #expect(queue.waiting.first == (next == wanted ? nil : wanted))
            }
        }

        @Test func whatIsDoneIsForgottenAlsoWhereNewWorkNeverStops() {
            var queue = SliceQueue<Int>()
            for number in 0..<100 { queue.append(number) }
            for number in 0..<50_000 {
                queue.append(100 + number)
                #expect(queue.popFirst() == number)
                #expect(queue.heldCount <= 100 + 1 + SliceQueue<Int>.doneMax)
            }
        }

        /// `departures` and what is owed are such queues; this one is for the broker as a whole.
        @Test func departuresAreForgottenUnderEndlessChurn() {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            let peers = (0..<40).map { _ in fixture.connect() }
            for round in 0..<1_000 {
                for peer in peers { broker.receive(peer.slot, Text.subscribe("room-\(peer.slot)")) }
                for peer in peers {
                    broker.close(slot: peer.slot)
                    _ = broker.acquireConnectionQuota(of: fixture.app)
                    broker.open(slot: peer.slot, app: fixture.app, random: UInt32(round))
                }
                broker.effects.clear()
                // One always waits.
                broker.settleDepartures(limit: broker.departuresWaiting - 1)
                #expect(broker.memberships.departures.heldCount < 3 * SliceQueue<Departure>.doneMax)
            }
        }

        @Test func whoComesAndGoesWithinATurnIsRememberedABoundedNumberOfTimes() throws {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            let peers = (0..<20).map { _ in fixture.connect() }
            for peer in peers { fixture.subscribe(peer, "room") }
            try fixture.publish("first", ["room"])
            try post("before", "room", fixture)
            for round in 0..<2_000 {
                let peer = peers[round % 19 + 1]
                broker.receive(peer.slot, Text.unsubscribe("room"))
                broker.receive(peer.slot, Text.subscribe("room"))
                #expect(InvariantWalker.fault(in: fixture.brokers) == nil)
            }
            broker.effects.clear()
            try post("after", "room", fixture)
            let before = try #require(broker.nextDelivery())
            #expect(Array(before.recipients) == [peers[0].slot], "all others joined after it")
            let after = try #require(broker.nextDelivery())
            #expect(Set(after.recipients) == Set(peers.map(\.slot)) && after.recipients.count == 20)
            #expect(broker.nextDelivery() == nil && InvariantWalker.leftover(in: fixture.brokers) == nil)
        }

        @Test func aTerminationOfThousandsIsCarriedOutInSlices() throws {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            let peers = (0..<500).map { _ in fixture.connect() }
            for peer in peers { fixture.signIn(peer, #"{"id":"u1"}"#) }
            let late = [fixture.connect(), fixture.connect()]
            let id = Array("u1".utf8)
            try broker.terminateConnections(of: id.span, app: fixture.app)
            var closed: Set<UInt32> = []
            var slices = 0
            while broker.hasWork {
                #expect(broker.nextDelivery() == nil)
                let actions = broker.effects.actions
                broker.effects.clear()
                var now = 0
                for case .close(let slot, _) in actions {
                    #expect(closed.insert(slot).inserted)
                    broker.close(slot: slot)
                    now += 1
                }
                broker.settleDepartures(limit: .max)
                #expect(now <= broker.slices.terminations)
                // Between two slices somebody signs in as that user.
                if slices < late.count {
                    let data = #"{"id":"u1"}"#
                    let auth = fixture.signer.user(data, socket: fixture.socket(late[slices]))
                    broker.receive(late[slices].slot, Text.signIn(auth: auth, userData: data))
                }
                slices += 1
            }
            #expect(closed == Set(peers.map(\.slot)) && slices >= 4)
            #expect(InvariantWalker.fault(in: fixture.brokers) == nil)
        }

        @Test func usersWhoAreTerminatedAtOnceShareASlice() throws {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            broker.slices.terminations = 8
            for number in 0..<40 { fixture.signIn(fixture.connect(), #"{"id":"u\#(number)"}"#) }
            for number in 0..<40 {
                let id = Array("u\(number)".utf8)
                try broker.terminateConnections(of: id.span, app: fixture.app)
            }
            var closes: [Int] = []
            while broker.hasWork {
                #expect(broker.nextDelivery() == nil)
                closes.append(broker.effects.actions.count { if case .close = $0 { true } else { false } })
                broker.effects.clear()
            }
            #expect(closes.allSatisfy { $0 <= 8 } && closes.reduce(0, +) == 40, "\(closes)")
        }

        @Test func countsThatAreOwedAreSentInSlices() {
            let fixture = BrokerFixture { $0.subscriptionCountEnabled = true }
            let broker = fixture.brokers[0]
            broker.slices.counts = 10
            let rooms = (0..<60).map { "room-\($0)" }
            let peers = (0..<103).map { _ in fixture.connect() }
            for peer in peers { for room in rooms { fixture.subscribe(peer, room) } }
            for peer in peers { _ = fixture.hear(peer) }
            fixture.pass(milliseconds: 5_001)
            broker.tick()
            var (slices, heard) = (1, 0)
            func told() -> Int {
                var count = 0
                while broker.nextDelivery() != nil { count += 1 }
                return count
            }
            heard += told()
            #expect((1...10).contains(heard) && broker.isSweeping && broker.mustGoOn)
            while broker.isSweeping, slices < 1_000 {
                broker.sweep()
                let now = told()
                #expect(now <= 10)
                (heard, slices) = (heard + now, slices + 1)
            }
            #expect(heard == rooms.count && slices >= 7 && broker.housekeeping.owing.isEmpty)
        }

        @Test func whatWasCarriedOutIsForgottenWhenItHasBecomeMuch() {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            let peer = fixture.connect()
            var (most, pongs) = (0, 0)
            for _ in 0..<5_000 {
                broker.receive(peer.slot, #"{"event":"pusher:ping","data":{}}"#)
                #expect(broker.answeredBytes > 0)
                while let action = broker.effects.next() {
                    guard case .frame(let slot, let json) = action else { continue }
                    broker.effects.withMessage(at: json) { message in
                        if slot == peer.slot, String(decoding: message.json, as: UTF8.self).contains("pusher:pong") {
                            pongs += 1
                        }
                    }
                }
                broker.effects.settle()
                most = max(most, broker.effects.bytes.count)
                #expect(broker.answeredBytes == 0 && broker.effects.actions.isEmpty && broker.effects.areDone)
            }
            #expect(pongs == 5_000 && most <= 17 << 10)
        }

        @Test func deliveriesToNobodyEndATurnToo() throws {
            let fixture = BrokerFixture()
            let broker = fixture.brokers[0]
            let peer = fixture.connect()
            fixture.subscribe(peer, "room")
            for _ in 0..<10_000 { try post("e", "room", fixture) }
            broker.receive(peer.slot, Text.unsubscribe("room"))
            #expect(broker.nextDelivery() == nil && broker.hasWork)
            var calls = 1
            while broker.hasWork {
                #expect(broker.nextDelivery() == nil)
                calls += 1
            }
            #expect((3...10).contains(calls) && fixture.shared.queuedBytes(of: 0) == 0)
        }

        /// Publishes without carrying it out.
        private func post(_ name: String, _ channel: String, _ fixture: BrokerFixture) throws {
            let body = Array(Text.publish(name, [channel], data: "d").utf8)
            let none: [UInt8] = []
            let request = try PublishRequest.parse(body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
            fixture.brokers[0].publish(app: fixture.app, request, channel: 0, body: body.span)
        }
    }
#endif
