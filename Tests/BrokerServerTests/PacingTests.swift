#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Peers whose answers wait") struct PacingTests {
        @Test func nobodyIsAskedAboutBeforeTheTurnOfItsPauseIsFlushed() {
            var pacing = Pacing()
            var asked: [UInt32] = []
            func ask() {
                pacing.resume { slot in
                    asked.append(slot)
                    return false
                }
            }
            pacing.pause(7)
            ask()
            #expect(asked.isEmpty)
            var mayResume = pacing.endTurn()
            #expect(mayResume)
            pacing.pause(8)
            ask()
            #expect(asked == [7])
            mayResume = pacing.endTurn()
            #expect(mayResume)
            ask()
            #expect(asked == [7, 7, 8])
            mayResume = pacing.endTurn()
            #expect(!mayResume)
        }

        @Test func whoIsLetGoIsForgotten() {
            var pacing = Pacing()
            for slot in UInt32(0)..<4 { pacing.pause(slot) }
            _ = pacing.endTurn()
            pacing.resume { $0.isMultiple(of: 2) }
            var left: [UInt32] = []
            pacing.resume { slot in
                left.append(slot)
                return true
            }
            #expect(left == [1, 3])
        }

        @Test func theAnswerThatPassesTheBoundIsTheLastOne() {
            var pacing = Pacing()
            pacing.answeredBytes = Pacing.answerBytesMax - 1
            #expect(!pacing.isEnough(1))
            #expect(pacing.isEnough(2))
        }

        @Test func whoHasNotTakenEarlierAnswersGetsFewMore() {
            var pacing = Pacing()
            pacing.begin(owedBytes: Pacing.owedBytesMax - 10)
            #expect(!pacing.isEnough(10))
            #expect(pacing.isEnough(11))
            pacing.answeredBytes = 10
            #expect(!pacing.isEnough(0))
            pacing.begin(owedBytes: Pacing.owedBytesMax + 1)
            #expect(pacing.answeredBytes == 0 && pacing.isEnough(0))
            pacing.begin(owedBytes: 0)
            #expect(!pacing.isEnough(Pacing.answerBytesMax))
        }
    }
#endif
