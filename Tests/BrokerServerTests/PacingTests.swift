#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Peers whose answers wait") struct PacingTests {
        @Test func eachIsAskedAboutOnceAfterTheTurnOfItsPauseIsFlushed() {
            var pacing = Pacing()
            pacing.pause(7)
            #expect(pacing.takeFlushed() == [])
            var mayResume = pacing.endTurn()
            #expect(mayResume)
            pacing.pause(8)
            #expect(pacing.takeFlushed() == [7])
            mayResume = pacing.endTurn()
            #expect(mayResume)
            #expect(pacing.takeFlushed() == [8])
            mayResume = pacing.endTurn()
            #expect(!mayResume && pacing.takeFlushed() == [])
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
