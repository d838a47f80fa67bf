#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import Testing

    @Suite("A loop's inbox of deliveries") struct DeliveryInboxTests {
        /// One channel on one loop, its queue, and the inbox: no broker and no registry.
        private final class Loop {
            var memberships = Memberships()
            var inbox = DeliveryInbox()
            var pool = DeliveryPool()
            let queues = DeliveryQueues(count: 1)
            let shared = SharedBroker(
                settings: [AppSettings(id: "1", keys: [.init(key: "key", secret: "secret")])], loopCount: 1, seed: 5)
            private(set) var channel = LocalChannelID(app: 0, index: ChannelIndex(0), generation: 0)
            private var sequence: UInt64 = 0

            init(slots: UInt32) {
                for slot in 0..<slots {
                    memberships.open(
                        slot, app: shared.apps[0], socketID: SocketID(high: slot, low: 100 + slot),
                        hashing: shared.hashing)
                }
                makeChannel()
            }

            deinit {
                pool.release()
                queues.free()
            }

            var isDrained: Bool { inbox.isDrained }
            var isAtRest: Bool { inbox.isAtRest }

            private let name = Array("room".utf8)

            /// Takes the channel's place, with a record that has delivered nothing.
            func makeChannel() {
                sequence = 0
                let name = name
                let hash = shared.hashing.hash(of: name.span)
                let index = memberships.place(
                    of: name.span, hash: hash, role: .channel, kind: ChannelKind(access: .public, isCache: false),
                    app: 0)
                channel = memberships.id(of: index, app: 0)
            }

            func join(_ slot: UInt32, member: UInt32 = .max) {
                memberships.add(slot, to: channel, member: member, record: 0)
                if sequence > 0 { inbox.remember(slot, joined: channel, after: sequence, in: &memberships) }
            }

            func leave(_ slot: UInt32) {
                guard let entry = memberships.entry(of: slot, in: channel.index) else { return }
                _ = memberships.remove(slot, entry: entry)
                memberships.forgetOne(of: channel.index, app: 0)
                _ = memberships.releasePlace(channel.index, app: 0)
            }

            func post(_ kind: DeliveryKind = .fanOut, _ connection: ConnectionTag = .none, number: UInt64? = nil) {
                sequence += 1
                let json = Array("{}".utf8)
                queues[0].pointee.push(
                    pool.make(
                        kind, to: channel, sequence: number ?? sequence, connection: connection, json: json.span))
            }

            /// What the next delivery asks for, in words.
            func next() -> String {
                inbox.finishCurrent(of: queues[0], pool: &pool, &memberships)
                switch inbox.next(of: queues[0], &memberships) {
                case .empty: return "empty"
                case .nobody: return "nobody"
                case .owed(let owed): return owed == channel ? "owed" : "owed to another"
                case .terminate(let slots): return "end \(slots.sorted())"
                case .deliver(let delivery):
                    let but = delivery.except == .max ? "" : " but \(delivery.except)"
                    return "to \(delivery.recipients.sorted())" + but
                }
            }
        }

        @Test func deliveriesComeOldestFirstAndTheirMemoryGoesBack() {
            let loop = Loop(slots: 3)
            for slot in 0..<3 as Range<UInt32> { loop.join(slot) }
            loop.post()
            loop.post(.fanOut, ConnectionTag(slot: 1, tag: 101))
            #expect(loop.isDrained, "nothing is taken before it is asked for")
            #expect(loop.next() == "to [0, 1, 2]")
            #expect(!loop.isDrained && loop.queues[0].pointee.isEmpty, "all was taken at once")
            #expect(loop.next() == "to [0, 1, 2] but 1")
            #expect(loop.isDrained && !loop.isAtRest, "the last frame is still looked at")
            #expect(loop.queues[0].pointee.queuedBytes == DeliveryPool.blockBytes)
            #expect(loop.next() == "empty" && loop.isAtRest)
            #expect(loop.queues[0].pointee.queuedBytes == 0 && loop.pool.count == 2)
        }

        @Test func anExcludedConnectionIsMeantByItsTagNotByItsSlot() {
            let loop = Loop(slots: 2)
            for slot in 0..<2 as Range<UInt32> { loop.join(slot) }
            loop.post(.fanOut, ConnectionTag(slot: 1, tag: 7))
            loop.post(.fanOut, ConnectionTag(slot: 9, tag: 0))
            #expect(loop.next() == "to [0, 1]" && loop.next() == "to [0, 1]")
        }

        @Test func whoJoinsAfterADeliveryDoesNotGetItAndIsThenLikeAllOthers() {
            let loop = Loop(slots: 3)
            loop.join(0)
            loop.post()
            loop.join(1)
            loop.post()
            loop.join(2)
            loop.post()
            #expect(loop.next() == "to [0]" && loop.next() == "to [0, 1]" && loop.next() == "to [0, 1, 2]")
            #expect(loop.inbox.unsettledCount == 1, "one entry for the joins of one drain")
            #expect(loop.next() == "empty")
            #expect(loop.inbox.unsettledCount == 0 && loop.memberships[loop.channel].pendingJoins.isEmpty)
        }

        @Test func aJoinDuringADrainWaitsForTheNextOne() {
            let loop = Loop(slots: 2)
            loop.join(0)
            loop.post()
            loop.post()
            #expect(loop.next() == "to [0]")
            // Joins behind both, and behind one that is posted while the first drain is under way.
            loop.post()
            loop.join(1)
            #expect(loop.next() == "to [0]")
            #expect(loop.next() == "to [0]", "of the second drain")
            loop.post()
            #expect(loop.next() == "to [0, 1]" && loop.next() == "empty")
            #expect(loop.inbox.unsettledCount == 0 && loop.memberships[loop.channel].pendingJoins.isEmpty)
        }

        @Test func whoIsLateIsLeftOutAlsoWhereALeaveHasMovedIt() {
            let loop = Loop(slots: 6)
            for slot in 0..<4 as Range<UInt32> { loop.join(slot) }
            loop.post()
            loop.post()
            loop.join(4)
            loop.join(5)
            loop.leave(1)
            #expect(loop.next() == "to [0, 2, 3]", "5 stands where 1 stood")
            #expect(loop.next() == "to [0, 2, 3]", "the answer is used again")
            loop.post()
            #expect(loop.next() == "to [0, 2, 3, 4, 5]")
        }

        @Test func anAnswerIsMadeAnewWhenSomebodyLeft() {
            let loop = Loop(slots: 6)
            for slot in 0..<4 as Range<UInt32> { loop.join(slot) }
            for _ in 0..<3 { loop.post() }
            loop.join(4)
            loop.join(5)
            loop.leave(0)
            #expect(loop.next() == "to [1, 2, 3]")
            loop.leave(2)
            #expect(loop.next() == "to [1, 3]")
            #expect(loop.next() == "to [1, 3]")
        }

        @Test func joinsAreSettledAlsoWhereTheQueueIsNeverEmpty() {
            let loop = Loop(slots: 2)
            loop.join(0)
            loop.post()
            loop.join(1)
            #expect(loop.next() == "to [0]" && loop.inbox.unsettledCount == 1)
            loop.post()
            #expect(loop.next() == "to [0, 1]" && loop.inbox.unsettledCount == 0)
        }

        @Test func anAnswerIsMadeAnewWhenJoinsAreSettled() {
            let loop = Loop(slots: 6)
            for slot in 0..<4 as Range<UInt32> { loop.join(slot) }
            loop.post()
            loop.post()
            loop.join(4)
            #expect(loop.next() == "to [0, 1, 2, 3]")
            loop.post()
            loop.join(5)
            // 5 stands where 0 stood, so that the late ones are not the last.
            loop.leave(0)
            #expect(loop.next() == "to [1, 2, 3]")
            #expect(loop.next() == "to [1, 2, 3, 4]", "4 is settled; nobody came or went meanwhile")
        }

        @Test func aDeliveryToAPlaceThatWasUsedAgainIsForNobody() {
            let loop = Loop(slots: 2)
            loop.join(0)
            loop.post()
            loop.leave(0)
            loop.makeChannel()
            loop.join(1)
            #expect(loop.next() == "nobody" && loop.next() == "empty")
        }

        @Test func aPlaceThatWasUsedAgainKnowsNothingOfTheJoinsBefore() {
            let loop = Loop(slots: 2)
            loop.join(0)
            loop.post()
            loop.join(1)
            for slot in 0..<2 as Range<UInt32> { loop.leave(slot) }
            loop.makeChannel()
            for slot in 0..<2 as Range<UInt32> { loop.join(slot) }
            loop.post()
            #expect(loop.next() == "nobody" && loop.next() == "to [0, 1]")
        }

        @Test func aDeliveryThatEverybodyJoinedAfterIsForNobody() {
            let loop = Loop(slots: 2)
            loop.join(0)
            loop.post()
            loop.join(1)
            loop.leave(0)
            #expect(loop.next() == "nobody" && loop.next() == "empty")
        }

        @Test func aMembersOwnConnectionsAreLeftOut() {
            let loop = Loop(slots: 4)
            loop.join(0, member: 5)
            loop.join(1, member: 6)
            loop.join(2, member: 5)
            loop.post(.member, ConnectionTag(slot: 5, tag: 0))
            loop.post()
            loop.join(3, member: 7)
            #expect(loop.next() == "to [1]" && loop.next() == "to [0, 1, 2]")
        }

        @Test func anAnswerIsMadeAnewForADeliveryThatAJoinCameBefore() {
            let loop = Loop(slots: 6)
            for slot in 0..<3 as Range<UInt32> { loop.join(slot) }
            loop.post()
            loop.join(3)
            loop.post()
            for slot in 4..<6 as Range<UInt32> { loop.join(slot) }
            // 5 stands where 0 stood, so that the late ones are not the last.
            loop.leave(0)
            #expect(loop.next() == "to [1, 2]" && loop.next() == "to [1, 2, 3]")
        }

        @Test func anAnswerWithoutAMemberIsNotTakenForTheNextDelivery() {
            let loop = Loop(slots: 5)
            for slot in 0..<3 as Range<UInt32> { loop.join(slot, member: 5 + slot) }
            loop.post()
            loop.post(.member, ConnectionTag(slot: 6, tag: 0))
            loop.post()
            for slot in 3..<5 as Range<UInt32> { loop.join(slot, member: 9) }
            // 4 stands where 0 stood, so that the late ones are not the last.
            loop.leave(0)
            #expect(loop.next() == "to [1, 2]" && loop.next() == "to [2]" && loop.next() == "to [1, 2]")
        }

        @Test func anAnswerToOneIsForTheSubscriptionThatAsked() {
            let loop = Loop(slots: 2)
            for slot in 0..<2 as Range<UInt32> { loop.join(slot) }
            let number = UInt64(loop.memberships[1].subscriptions[0].number)
            let target = ConnectionTag(slot: 1, tag: 101)
            loop.post(.single, target, number: number)
            loop.post(.single, target, number: number + 1)
            loop.post(.single, ConnectionTag(slot: 1, tag: 100), number: number)
            #expect(loop.next() == "to [1]" && loop.next() == "nobody" && loop.next() == "nobody")
        }

        @Test func aTerminationComesBackUntilItIsDone() {
            let loop = Loop(slots: 3)
            for slot in 0..<2 as Range<UInt32> { loop.join(slot) }
            loop.post(.terminate)
            loop.post()
            loop.join(2)
            #expect(loop.next() == "end [0, 1]")
            loop.inbox.comeBack()
            #expect(!loop.isDrained)
            #expect(loop.next() == "end [0, 1]", "2 came after it")
            #expect(loop.next() == "to [0, 1]" && loop.next() == "empty")
        }

        @Test func whatIsOwedNamesItsChannel() {
            let loop = Loop(slots: 1)
            loop.join(0)
            loop.post(.owed)
            #expect(loop.next() == "owed" && loop.next() == "empty")
        }
    }
#endif
