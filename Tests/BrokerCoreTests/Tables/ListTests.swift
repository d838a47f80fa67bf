#if DEBUG
    @testable import BrokerCore
    import TestSupport
    import Testing

    @Suite("Raw lists and the roster") struct ListTests {
        @Test(arguments: 0..<16) func aSubscriberListAgreesWithAnArray(seed: Int) {
            var random = SeededRandom(seed: seed)
            var list = SubscriberList()
            defer { list.release() }
            var model: [(slot: UInt32, entry: UInt32)] = []
            for step in 0..<2_000 {
                let grows = step % 500 < 300 ? 2 : 6
                if model.isEmpty || random.oneIn(grows) {
                    model.append((UInt32(step), UInt32(step * 2)))
                    list.append(slot: UInt32(step), entry: UInt32(step * 2))
                } else if random.oneIn(3) {
                    let at = random.int(0...model.count - 1)
                    model[at].entry += 1
                    list.setEntry(at: at, to: model[at].entry)
                } else {
                    let at = random.int(0...model.count - 1)
                    let moved = at < model.count - 1
                    model.swapAt(at, model.count - 1)
                    model.removeLast()
                    #expect(list.remove(at: at) == moved)
                }
                #expect(Array(list.slots) == model.map(\.slot))
            }
            #expect(
                model.indices.allSatisfy {
                    list.slot(at: $0) == model[$0].slot && list.entry(at: $0) == model[$0].entry
                })
        }

        @Test(arguments: 0..<16) func aRawListAgreesWithAnArray(seed: Int) {
            var random = SeededRandom(seed: seed)
            var list = RawList<Subscription>()
            defer { list.release() }
            var model: [UInt32] = []
            for step in 0..<2_000 {
                let choices = step % 400 < 250 ? 5 : 9
                switch random.int(0...choices) {
                case 0...2:
                    model.append(UInt32(step))
                    list.append(Subscription(channel: ChannelIndex(1), position: UInt32(step), member: 2, number: 0))
                case 3 where !model.isEmpty:
                    let at = random.int(0...model.count - 1)
                    model[at] &+= 7
                    list[at].position &+= 7
                case 9 where random.oneIn(50):
                    model = []
                    list.removeAll()
                default:
                    guard !model.isEmpty else { continue }
                    let at = random.int(0...model.count - 1)
                    model.swapAt(at, model.count - 1)
                    model.removeLast()
                    list.swapRemove(at: at)
                }
                #expect(list.count == model.count && list.elements.map(\.position) == model)
            }
        }

        @Test(arguments: 0..<16) func aRosterAgreesWithADictionary(seed: Int) {
            var random = SeededRandom(seed: seed)
            let roster = Roster(seed: random.next())
            var model: [String: Int] = [:]
            var here: [(user: String, member: UInt32)] = []
            for _ in 0..<600 {
                if here.isEmpty || random.oneIn(2) {
                    let user = "u\(random.int(0...9))"
                    let (member, isNew) = roster.join(Array(user.utf8), userInfo: nil)
                    #expect(isNew == (model[user] == nil))
                    #expect(String(decoding: roster.userID(of: member), as: UTF8.self) == user)
                    model[user, default: 0] += 1
                    here.append((user, member))
                } else {
                    let left = here.remove(at: random.int(0...here.count - 1))
                    let gone = roster.leave(left.member)
                    let wanted = model[left.user] == 1 ? left.user : nil
                    #expect(gone.map { String(decoding: $0.userID, as: UTF8.self) } == wanted)
                    model[left.user] = model[left.user].flatMap { $0 == 1 ? nil : $0 - 1 }
                }
                let counted = roster.connectionsByUser.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
                #expect(Dictionary(uniqueKeysWithValues: counted) == model && roster.count == model.count)
            }
        }

        @Test func theFirstUserInfoStaysUntilTheUserHasLeft() {
            let roster = Roster(seed: 1)
            let id = Array("u1".utf8)
            let (first, _) = roster.join(id, userInfo: Array("1".utf8))
            let (second, _) = roster.join(id, userInfo: Array("2".utf8))
            #expect(Self.hash(roster) == #"\"u1\":1"#)
            #expect(roster.leave(first)?.userID == nil)
            #expect(Self.hash(roster) == #"\"u1\":1"#)
            #expect(roster.leave(second)?.userID == id)
            _ = roster.join(id, userInfo: nil)
            #expect(Self.hash(roster) == #"\"u1\":null"#)
        }

        private static func hash(_ roster: Roster) -> String {
            var (ids, hash): ([UInt8], [UInt8]) = ([], [])
            _ = roster.appendSnapshot(for: 0, asking: .max, ids: &ids, hash: &hash)
            return String(decoding: hash, as: UTF8.self)
        }
    }
#endif
