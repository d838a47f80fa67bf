#if DEBUG
    @testable import BrokerCore
    import TestSupport
    import Testing

    @Suite("The loops of a record") struct LoopEntryTests {
        private static func channel(_ loop: Int) -> LocalChannelID {
            LocalChannelID(app: 1, index: ChannelIndex(UInt32(loop * 10)), generation: 2)
        }

        @Test(arguments: 0..<16) func agreeWithADictionary(seed: Int) {
            var random = SeededRandom(seed: seed)
            var entries = LoopEntries()
            var model: [Int: UInt32] = [:]
            for _ in 0..<2_000 {
                let loop = random.pick([0, 1, 2, 63])
                if let count = model[loop], random.oneIn(2) {
                    #expect(entries.remove(loop: loop) == (count == 1))
                    model[loop] = count == 1 ? nil : count - 1
                } else {
                    entries.add(Self.channel(loop), loop: loop)
                    model[loop, default: 0] += 1
                }
                #expect(entries.count == model.count && entries.isEmpty == model.isEmpty)
                #expect(Dictionary(uniqueKeysWithValues: entries.map { ($0.loop, $0.count) }) == model)
                #expect(entries.allSatisfy { $0.channel == Self.channel($0.loop) })
            }
        }

        @Test func whatALoopWasToldStaysItsOwnWhenAnotherGoes() {
            var entries = LoopEntries()
            for loop in 0..<3 { entries.add(Self.channel(loop), loop: loop) }
            for at in entries.indices { entries[at].told = [.online, .everything, .offline][entries[at].loop] }
            let isGone = entries.remove(loop: 0)
            #expect(isGone && entries.map(\.loop) == [2, 1])
            #expect(entries.map(\.told) == [.offline, .everything])
        }

        @Test func oneLoopCostsNoMemoryOfItsOwn() {
            #expect(MemoryLayout<LoopEntries>.size <= 32)
        }
    }
#endif
