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

        /// Deliveries that wait, what the connection has let them grow by, whether it publishes; and whether it is held back.
        static let callers: [(queued: Int, ahead: [Int], publishes: Bool, isHeldBack: Bool)] = [
            (ReadThrottle.queuedBytesMax, [1 << 20], true, false), (ReadThrottle.queuedBytesMax + 1, [], true, true),
            (ReadThrottle.queuedBytesMax + 1, [], false, false), (10 << 20, [], false, false),
            (10 << 20, [ReadThrottle.aheadBytesMax - 256], false, false),
            (10 << 20, [ReadThrottle.aheadBytesMax], false, true), (10 << 20, [1 << 30, 1 << 30], false, true),
            (10 << 20, Array(repeating: 1, count: 15), false, false),
            (10 << 20, Array(repeating: 1, count: 16), false, true), (10 << 20, [0, -5], false, false),
        ]

        @Test(arguments: callers)
        func whoPublishesWhileDeliveriesAreBehindIsHeldBack(
            queued: Int, ahead: [Int], publishes: Bool, isHeldBack: Bool
        ) {
            var (readThrottle, debt) = (ReadThrottle(), AnswerDebt())
            readThrottle.noteDeliveries(queuedBytes: queued)
            for bytes in ahead { readThrottle.noteAhead(&debt, bytes: bytes) }
            #expect(readThrottle.holdsBack(debt, isQuestion: !publishes) == isHeldBack)
        }

        @Test func whatWentAheadIsForgottenWhenTheDeliveriesAreTaken() {
            var (readThrottle, debt) = (ReadThrottle(), AnswerDebt())
            for _ in 0..<70_000 {
                readThrottle.noteDeliveries(queuedBytes: 100_000)
                #expect(!readThrottle.holdsBack(debt, isQuestion: true))
                readThrottle.noteAhead(&debt, bytes: 1 << 20)
                readThrottle.noteDeliveries(queuedBytes: 90_000)
                #expect(readThrottle.holdsBack(debt, isQuestion: true))
                readThrottle.noteDeliveries(queuedBytes: 0)
                #expect(!readThrottle.holdsBack(debt, isQuestion: true))
            }
        }

        @Test func aSessionIsNoLargerForIt() { #expect(MemoryLayout<AnswerDebt>.size <= 12) }

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
