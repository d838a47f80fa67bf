#if DEBUG
    @testable import BrokerCore
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("The two-way relation of connections and channels") struct MembershipTests {
        /// The relation, and beside it plain sets that say what it must hold.
        private final class Pairs {
            var memberships = Memberships()
            private(set) var wanted: [UInt32: Set<String>] = [:]
            let shared = SharedBroker(
                settings: [AppSettings(id: "1", keys: [.init(key: "key", secret: "secret")])], loopCount: 1, seed: 3)

            var app: App { shared.apps[0] }
            var fault: String? { memberships.fault }
            func isOpen(_ slot: UInt32) -> Bool { memberships.isOpen(slot) }
            func holds(_ id: LocalChannelID) -> Bool { memberships.holds(id) }
            func slot(_ slot: UInt32) -> ConnectionRecord { memberships[slot] }

            func open(_ slot: UInt32) {
                memberships.open(
                    slot, app: app, socketID: SocketID(high: slot, low: 1), hashing: shared.hashing)
                wanted[slot] = []
            }

            func place(_ name: String) -> ChannelIndex {
                let bytes = Array(name.utf8)
                return memberships.place(
                    of: bytes.span, hash: shared.hashing.hash(of: bytes.span), role: .channel,
                    kind: ChannelKind(access: .public, isCache: false), app: 0)
            }

            func join(_ slot: UInt32, _ name: String, member: UInt32 = .max) {
                let index = place(name)
                memberships.add(slot, to: memberships.id(of: index, app: 0), member: member, record: 3)
                wanted[slot]?.insert(name)
            }

            func leave(_ slot: UInt32, _ name: String) {
                let index = place(name)
                guard let entry = memberships.entry(of: slot, in: index) else {
                    Issue.record("slot \(slot) is not in \(name)")
                    return
                }
                _ = memberships.remove(slot, entry: entry)
                forget(index)
                wanted[slot]?.remove(name)
            }

            func close(_ slot: UInt32) {
                memberships.close(slot)
                wanted[slot] = nil
            }

            func settle() {
                while let next = memberships.nextDeparture() { forget(next.channel) }
            }

            private func forget(_ index: ChannelIndex) {
                memberships.forgetOne(of: index, app: 0)
                _ = memberships.releasePlace(index, app: 0)
            }

            func channels(of slot: UInt32) -> Set<String> {
                let own = memberships[slot].subscriptions
                return Set(
                    (0..<own.count).map {
                        String(decoding: memberships[app: 0].name(of: own[$0].channel), as: UTF8.self)
                    })
            }
        }

        @Test(arguments: 0..<8) func bothViewsHoldTheSamePairsAfterAnyCommands(seed: Int) {
            var random = SeededRandom(seed: seed)
            let pairs = Pairs()
            let names = (0..<9).map { "room-\($0)" }
            for _ in 0..<3_000 {
                let (slot, name) = (UInt32(random.int(0...12)), random.pick(names))
                if pairs.wanted[slot] == nil {
                    pairs.open(slot)
                } else if random.oneIn(20) {
                    pairs.close(slot)
                } else if pairs.wanted[slot]?.contains(name) == true {
                    pairs.leave(slot, name)
                } else {
                    pairs.join(slot, name)
                }
                if random.oneIn(5) { pairs.settle() }
                #expect(pairs.fault == nil)
                for (slot, wanted) in pairs.wanted { #expect(pairs.channels(of: slot) == wanted) }
            }
        }

        @Test func everySubscriptionHasItsOwnNumberAndMember() {
            let pairs = Pairs()
            pairs.open(0)
            pairs.join(0, "a", member: 7)
            let first = pairs.memberships[0].subscriptions[0]
            #expect(first.member == 7)
            pairs.leave(0, "a")
            pairs.join(0, "a", member: 8)
            let second = pairs.memberships[0].subscriptions[0]
            #expect(second.member == 8 && second.number != first.number)
        }

        @Test func whatWasReadHoldsUntilSomebodyJoinsOrLeaves() {
            let pairs = Pairs()
            for slot in 0..<2 as Range<UInt32> { pairs.open(slot) }
            var seen: Set<UInt64> = [pairs.memberships.changes]
            pairs.join(0, "a")
            #expect(seen.insert(pairs.memberships.changes).inserted)
            pairs.join(1, "a")
            #expect(seen.insert(pairs.memberships.changes).inserted)
            pairs.leave(0, "a")
            #expect(seen.insert(pairs.memberships.changes).inserted)
            pairs.close(1)
            #expect(seen.insert(pairs.memberships.changes).inserted)
        }

        @Test func aPlaceIsKeptForDeparturesAndThenHasANewGeneration() {
            let pairs = Pairs()
            for slot in 0..<2 as Range<UInt32> { pairs.open(slot) }
            pairs.join(0, "a")
            let index = pairs.place("a")
            let id = pairs.memberships.id(of: index, app: 0)
            pairs.close(0)
            #expect(pairs.holds(id) && pairs.memberships.departures.count == 1)
            #expect(pairs.memberships[id].subscribers.count == 0 && pairs.memberships[id].registered == 1)
            pairs.settle()
            #expect(!pairs.holds(id) && pairs.fault == nil)
            pairs.join(1, "b")
            #expect(pairs.place("b") == index, "the number is used again")
            #expect(!pairs.holds(id))
        }

        @Test func aSlotOpenedAgainRemembersNothing() {
            let pairs = Pairs()
            pairs.open(4)
            pairs.memberships[4].isAuthorized = true
            pairs.memberships[4].isEnding = true
            pairs.memberships[4].clientEventTokens = 0
            pairs.memberships[4].user = SignedInUser(id: [1], userInfo: nil)
            pairs.close(4)
            #expect(!pairs.isOpen(4) && pairs.slot(4).user == nil)
            pairs.open(4)
            #expect(pairs.isOpen(4) && !pairs.slot(4).isAuthorized)
            #expect(!pairs.slot(4).isEnding && pairs.slot(4).clientEventTokens == .max)
            #expect(!pairs.isOpen(5) && !pairs.isOpen(1 << 25))
        }

        @Test func theCheckSeesEachKindOfContradiction() {
            let pairs = Pairs()
            for slot in 0..<2 as Range<UInt32> { pairs.open(slot) }
            pairs.join(0, "a")
            pairs.join(1, "a")
            pairs.join(1, "b")
            let a = pairs.memberships.id(of: pairs.place("a"), app: 0)
            #expect(pairs.fault == nil)
            pairs.memberships[a].registered += 1
            #expect(pairs.fault?.contains("3 counted, 2 here, 0 leaving") == true)
            pairs.memberships[a].registered -= 1
            pairs.memberships[1].subscriptions[0].position = 0
            #expect(pairs.fault?.contains("entry 0 of slot 1") == true)
            pairs.memberships[1].subscriptions[0].position = 1
            pairs.memberships[a].subscribers.setEntry(at: 1, to: 1)
            #expect(pairs.fault != nil)
            pairs.memberships[a].subscribers.setEntry(at: 1, to: 0)
            pairs.memberships[a].subscribers.append(slot: 0, entry: 0)
            #expect(pairs.fault?.contains("knows nothing of it") == true)
            _ = pairs.memberships[a].subscribers.remove(at: 2)
            #expect(pairs.fault == nil)
        }

        @Test func theShorterListIsSearchedAndBothGiveTheSameAnswer() {
            let pairs = Pairs()
            for slot in 0..<30 as Range<UInt32> { pairs.open(slot) }
            for slot in 0..<30 as Range<UInt32> { pairs.join(slot, "crowd") }
            for room in 0..<30 { pairs.join(3, "room-\(room)") }
            let (crowd, room) = (pairs.place("crowd"), pairs.place("room-29"))
            #expect(pairs.memberships.entry(of: 3, in: crowd) == 0)
            #expect(pairs.memberships.entry(of: 3, in: room) == 30)
            #expect(pairs.memberships.entry(of: 7, in: crowd) == 0)
            #expect(pairs.memberships.entry(of: 7, in: room) == nil)
        }

        @Test func aTableIsListedOnceUntilItsMemoryIsGivenBack() {
            let pairs = Pairs()
            pairs.open(0)
            let index = pairs.place("a")
            let isListed = pairs.memberships.releasePlace(index, app: 0)
            #expect(isListed)
            let again = pairs.memberships.releasePlace(pairs.place("a"), app: 0)
            #expect(!again)
            pairs.memberships.releaseUnused(app: 0)
            #expect(pairs.memberships[app: 0].channels.capacity == 0)
            let later = pairs.memberships.releasePlace(pairs.place("a"), app: 0)
            #expect(later)
        }
    }
#endif
