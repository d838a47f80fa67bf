#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Work of one turn") struct TurnTests {
        /// Deliveries of a turn with so many recipients each.
        private func deliveries(recipients: Int, bytes: Int) -> Int {
            var allowance = TurnAllowance()
            var count = 0
            while allowance.isLeft(arenaBytes: count * bytes) {
                allowance.spend(recipients: recipients, frameBytes: bytes)
                count += 1
            }
            return count
        }

        @Test func smallFramesToManyEndATurnLongBeforeTheArenaIsFull() {
            #expect(deliveries(recipients: 10_000, bytes: 100) * 10_000 < TurnAllowance.framesMax + 10_000)
            // Enough that each connection still gets many frames with one write.
            #expect(deliveries(recipients: 10_000, bytes: 100) > 20)
        }

        @Test func deliveriesToOneEachAreBoundedToo() {
            #expect((1_000...20_000).contains(deliveries(recipients: 1, bytes: 60)))
        }

        @Test func largeFramesEndATurnByTheirBytes() {
            #expect(deliveries(recipients: 5, bytes: 64 << 10) == 64)
        }

        @Test func aCrowdIsNotHandedMoreInATurnThanItsBacklogsMayHold() {
            // Whoever takes nothing of it in this turn still owes less than all may owe together.
            for (recipients, bytes) in [(1_000, 9_000), (1_500, 60_000), (10_000, 1_000), (10_000, 10_000)] {
                let handed = deliveries(recipients: recipients, bytes: bytes) * recipients * bytes
                #expect(handed < TurnAllowance.copiedBytesMax + recipients * bytes)
                #expect(handed < 128 << 20)
            }
            // One event is delivered, whatever it comes to.
            #expect(deliveries(recipients: 100_000, bytes: 1 << 20) == 1)
        }

        @Test func memoryIsReadOnceATickHoweverOftenItIsAskedFor() {
            var gauge = MemoryGauge()
            var reads = 0
            func ask(at milliseconds: UInt64) -> Int {
                gauge.read(milliseconds: milliseconds) {
                    reads += 1
                    return ProcessMemory(usedBytes: reads, totalBytes: 100)
                }.usedBytes
            }
            for millisecond in UInt64(5_000)..<5_100 { #expect(ask(at: millisecond) == 1) }
            #expect(ask(at: 5_100) == 2 && ask(at: 5_199) == 2 && ask(at: 9_000) == 3)
            #expect(reads == 3)
        }

        @Test func aLongListIsMadeInPiecesThatTogetherAreTheList() {
            let ids = (0..<1_000).map { Array("user-\($0)".utf8) }
            var list = LongReply(.users(ids, next: 0))
            var (text, pieces): ([UInt8], Int) = ([], 0)
            while !list.isWhole {
                var work = 60
                list.makeUsers(textBytesMax: 1_000, work: &work)
                #expect(list.text.count < 1_100 && work >= 0)
                text += list.text
                list.text = []
                pieces += 1
            }
            let wanted = ids.map { #"{"id":"\#(String(decoding: $0, as: UTF8.self))"}"# }.joined(separator: ",")
            #expect(String(decoding: text, as: UTF8.self) == #"{"users":[\#(wanted)]}"#)
            #expect(pieces > 16)
        }

        @Test func repliesUnderWayTakeTurnsAndAreCounted() {
            var replies = LongReplies()
            let names = Array(repeating: Array("u".utf8), count: 1_000)
            let numbers = (0..<3).map {
                replies.begin(
                    LongReplies.Entry(
                        slot: $0, isChunked: true, keepAlive: true, list: LongReply(.users(names, next: 0))))
            }
            #expect(Set(numbers).count == 3 && !numbers.contains(0))
            let held = replies.heldBytes
            #expect(held >= 3 * 8_000)
            replies.endConnection(after: numbers[1])
            let all = replies.take()
            #expect(all.map(\.keepAlive) == [true, false, true] && replies.isEmpty)
            replies.put(waiting: [all[1], all[2]], served: [all[0]])
            #expect(replies.take().map(\.slot) == [1, 2, 0])
            replies.put(waiting: [all[1]], served: [])
            #expect(replies.heldBytes == held / 3 && replies.count == 1)
        }
    }
#endif
