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

        static let peers: [(debt: AnswerDebt, hasUnsent: Bool, canRead: Bool)] = [
            (AnswerDebt(), false, true), (AnswerDebt(), true, true), (AnswerDebt(owedBytes: 100_000), false, true),
            (AnswerDebt(owedBytes: UInt32(ReadThrottle.owedBytesMax)), true, true),
            (AnswerDebt(owedBytes: UInt32(ReadThrottle.owedBytesMax) + 1), true, false),
            (AnswerDebt(replyNumber: 3), false, false), (AnswerDebt(owedBytes: 5, replyNumber: 3), false, false),
        ]

        @Test(arguments: peers)
        func onlyThoseAreReadWhoTakeTheirAnswers(debt: AnswerDebt, hasUnsent: Bool, canRead: Bool) {
            var (readThrottle, owes) = (ReadThrottle(), debt)
            readThrottle.answeredBytes = 77
            let mayRead = readThrottle.canRead(&owes, hasUnsentAnswers: hasUnsent)
            #expect(mayRead == canRead)
            #expect(readThrottle.answeredBytes == 0, "the next peer has been answered nothing yet")
            let isPaid = debt.owedBytes > 0 && !debt.isReplying && !hasUnsent
            #expect(owes.owedBytes == (isPaid ? 0 : debt.owedBytes))
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
