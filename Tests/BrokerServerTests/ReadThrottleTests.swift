#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Peers whose answers wait") struct ReadThrottleTests {
        @Test func eachIsAskedAboutOnceAfterTheTurnOfItsPauseIsFlushed() {
            var readThrottle = ReadThrottle()
            readThrottle.pause(7)
            #expect(readThrottle.takeFlushed() == [])
            var mayResume = readThrottle.endTurn()
            #expect(mayResume)
            readThrottle.pause(8)
            #expect(readThrottle.takeFlushed() == [7])
            mayResume = readThrottle.endTurn()
            #expect(mayResume)
            #expect(readThrottle.takeFlushed() == [8])
            mayResume = readThrottle.endTurn()
            #expect(!mayResume && readThrottle.takeFlushed() == [])
        }

        @Test func theAnswerThatPassesTheBoundIsTheLastOne() {
            var readThrottle = ReadThrottle()
            readThrottle.answeredBytes = ReadThrottle.answerBytesMax - 1
            #expect(!readThrottle.isExhausted(1))
            #expect(readThrottle.isExhausted(2))
        }

        @Test func whoHasNotTakenEarlierAnswersGetsFewMore() {
            var readThrottle = ReadThrottle()
            readThrottle.begin(owedBytes: ReadThrottle.owedBytesMax - 10)
            #expect(!readThrottle.isExhausted(10))
            #expect(readThrottle.isExhausted(11))
            readThrottle.answeredBytes = 10
            #expect(!readThrottle.isExhausted(0))
            readThrottle.begin(owedBytes: ReadThrottle.owedBytesMax + 1)
            #expect(readThrottle.answeredBytes == 0 && readThrottle.isExhausted(0))
            readThrottle.begin(owedBytes: 0)
            #expect(!readThrottle.isExhausted(ReadThrottle.answerBytesMax))
        }
    }
#endif
