#if DEBUG
    @testable import BrokerCore
    import Crypto
    import PusherProtocol
    import Testing
    import TestSupport

    @Suite("Keyed publishes") struct IdempotencyTableTests {
        private func claim(_ key: String, _ meaning: String = "body") throws -> IdempotencyClaim {
            let bytes = Array(key.utf8), text = Array(meaning.utf8)
            return IdempotencyClaim(
                key: try IdempotencyKey.of(header: bytes.span, body: nil), fingerprint: Digest.sha256(text.span))
        }

        private func table(keys: Int = 10, appBytes: Int = 1 << 20, bytes: Int = 1 << 20) -> IdempotencyTable {
            IdempotencyTable(limits: .init(keysPerAppMax: keys, appBytesMax: appBytes, bytesMax: bytes))
        }

        /// Makes a publish whole.
        private func publish(
            _ table: inout IdempotencyTable, _ key: String, app: Int = 0, at milliseconds: UInt64 = 0,
            answer: String = "{}"
        ) throws {
            guard case .claimed(let all) = table.claim([try claim(key)], app: app, milliseconds: milliseconds),
                case .new(let ticket) = all[0]
            else {
                Issue.record("\(key) is not new")
                return
            }
            table.settle(ticket, answer: Array(answer.utf8))
        }

        private func knows(_ table: inout IdempotencyTable, _ key: String, app: Int = 0, at now: UInt64 = 0) throws
            -> Bool
        {
            switch table.claim([try claim(key)], app: app, milliseconds: now) {
            case .claimed(let all):
                guard case .new(let ticket) = all[0] else { return true }
                table.abandon(ticket)
                return false
            case .conflict, .underWay: return true
            }
        }

        @Test func aRepetitionGetsTheAnswerOfTheFirst() throws {
            var table = table()
            try publish(&table, "k", answer: "first")
            #expect(
                table.claim([try claim("k")], app: 0, milliseconds: 5) == .claimed([.answered(Array("first".utf8))]))
            #expect(table.statistics == IdempotencyStatistics(replays: 1))
        }

        @Test func anotherMeaningOfTheSameKeyIsAConflict() throws {
            var table = table()
            try publish(&table, "k")
            #expect(table.claim([try claim("k", "other")], app: 0, milliseconds: 5) == .conflict(index: 0))
            #expect(table.statistics == IdempotencyStatistics(conflicts: 1))
            #expect(try knows(&table, "k"), "the conflict changed nothing")
        }

        @Test func aConflictIsOneAlsoWhileTheFirstIsUnderWay() throws {
            var table = table()
            _ = table.claim([try claim("k")], app: 0, milliseconds: 0)
            #expect(table.claim([try claim("k", "other")], app: 0, milliseconds: 0) == .conflict(index: 0))
            #expect(table.claim([try claim("k")], app: 0, milliseconds: 0) == .underWay)
        }

        @Test func aKeyBelongsToItsApp() throws {
            var table = table()
            try publish(&table, "k", app: 1)
            #expect(try !knows(&table, "k", app: 2))
        }

        @Test(arguments: [(119_999, true), (120_000, false), (500_000, false)] as [(UInt64, Bool)])
        func aKeyIsKnownForTwoMinutesFromItsClaim(after: UInt64, isKnown: Bool) throws {
            var table = table()
            try publish(&table, "k", at: 7)
            #expect(try knows(&table, "k", at: 7 + after) == isKnown)
        }

        @Test func aRepetitionDoesNotMakeAKeyLiveLonger() throws {
            var table = table()
            try publish(&table, "k", at: 0)
            #expect(try knows(&table, "k", at: 119_000))
            #expect(try !knows(&table, "k", at: 121_000))
        }

        @Test func aRefusedPublishDoesNotUseUpItsKey() throws {
            var table = table()
            guard case .claimed(let all) = table.claim([try claim("k")], app: 0, milliseconds: 0),
                case .new(let ticket) = all[0]
            else {
                Issue.record("not new")
                return
            }
            table.abandon(ticket)
            #expect(table.count == 0 && table.bytes == 0)
            try publish(&table, "k")
            // Late word of the old claim means nothing to the new one.
            table.abandon(ticket)
            table.settle(ticket, answer: Array("late".utf8))
            #expect(table.claim([try claim("k")], app: 0, milliseconds: 0) == .claimed([.answered(Array("{}".utf8))]))
        }

        @Test func severalKeysAreClaimedAllOrNone() throws {
            var table = table()
            _ = table.claim([try claim("b")], app: 0, milliseconds: 0)
            #expect(table.claim([try claim("a"), try claim("b")], app: 0, milliseconds: 0) == .underWay)
            #expect(table.count == 1, "a was not claimed")
            #expect(
                table.claim([try claim("a"), try claim("b", "other")], app: 0, milliseconds: 0) == .conflict(index: 1))
            #expect(table.count == 1)
        }

        @Test func ofTooManyKeysOfAnAppTheOldestIsForgotten() throws {
            var table = table(keys: 3)
            try publish(&table, "other", app: 1)
            for key in ["a", "b", "c", "d"] { try publish(&table, key) }
            #expect(table.count(ofApp: 0) == 3)
            #expect(table.statistics.forgotten == 1)
            #expect(try !knows(&table, "a"))
            for key in ["b", "c", "d"] { #expect(try knows(&table, key)) }
            #expect(try knows(&table, "other", app: 1), "one app does not push out another's")
        }

        @Test func tenThousandKeysOfAnAppAreRemembered() throws {
            var table = IdempotencyTable()
            for number in 0...10_000 { try publish(&table, "key \(number)") }
            #expect(table.count == 10_000)
            #expect(try !knows(&table, "key 0"))
            #expect(try knows(&table, "key 1") && knows(&table, "key 10000"))
        }

        @Test func theBytesOfAnAppAreBounded() throws {
            var table = table(keys: 1_000, appBytes: 10_000, bytes: 100_000)
            let answer = String(repeating: "x", count: 2_000)
            for number in 0..<20 { try publish(&table, "\(number)", answer: answer) }
            #expect(table.bytes <= 10_000 && table.count == 4)
            #expect(try knows(&table, "19") && !knows(&table, "15"))
        }

        @Test func theBytesOfAllAppsAreBounded() throws {
            var table = table(keys: 1_000, appBytes: 10_000, bytes: 30_000)
            for app in 0..<100 { try publish(&table, "k", app: app, answer: String(repeating: "x", count: 2_000)) }
            #expect(table.bytes <= 30_000 && table.count == 12)
            #expect(try knows(&table, "k", app: 99) && !knows(&table, "k", app: 0))
        }

        @Test func anAnswerLargerThanTheTableIsForgottenAtOnce() throws {
            var table = table(appBytes: 10_000)
            try publish(&table, "big", answer: String(repeating: "x", count: 20_000))
            #expect(table.count == 0 && table.bytes == 0)
        }

        @Test func expiryTakesAsManyAsItIsTold() throws {
            var table = table(keys: 100)
            for number in 0..<50 { try publish(&table, "\(number)", at: UInt64(number)) }
            table.expire(milliseconds: 119_999, limit: 100)
            #expect(table.count == 50)
            table.expire(milliseconds: 120_030, limit: 20)
            #expect(table.count == 30)
            table.expire(milliseconds: 120_030, limit: 100)
            #expect(table.count == 19, "31 were due")
            table.expire(milliseconds: 200_000, limit: 100)
            #expect(table.count == 0 && table.bytes == 0)
            try publish(&table, "again", at: 200_000)
            #expect(table.count == 1)
        }

        /// A claim takes only some of the keys that are over out of the table; the others count as forgotten all the same.
        @Test func aKeyThatIsOverIsNewAlsoBeforeItIsTakenOut() throws {
            var table = table(keys: 100)
            for number in 0..<100 { try publish(&table, "\(number)", answer: "old") }
            try publish(&table, "99", at: 120_000, answer: "new")
            #expect(table.count < 100 && table.count > 1, "some are still there")
            table.expire(milliseconds: 120_000, limit: 100)
            #expect(table.count == 1 && table.count(ofApp: 0) == 1)
            #expect(
                table.claim([try claim("99")], app: 0, milliseconds: 239_999)
                    == .claimed([.answered(Array("new".utf8))]))
        }

        /// Several times over, because whether a tick has something to do is kept beside the table.
        @Test func ticksForgetWhatIsOverAndNothingElse() throws {
            let fixture = BrokerFixture()
            let store = fixture.shared.idempotency
            for round in 0..<3 {
                let time = BrokerTime(milliseconds: UInt64(round) * 1_000_000, unixSeconds: 0)
                guard case .claimed(let all) = store.claim([try claim("k")], app: fixture.app, time: time),
                    case .new(let ticket) = all[0]
                else {
                    Issue.record("round \(round): not new")
                    return
                }
                store.settle(ticket, answer: [])
                for passed: UInt64 in [0, 60_000, 119_999] {
                    store.tick(BrokerTime(milliseconds: time.milliseconds + passed, unixSeconds: 0))
                    #expect(store.count == 1)
                }
                store.tick(BrokerTime(milliseconds: time.milliseconds + 120_000, unixSeconds: 0))
                #expect(store.count == 0)
            }
        }

        @Test(arguments: 0..<20) func randomStepsAgreeWithAPlainList(seed: Int) throws {
            var random = SeededRandom(seed: seed)
            var table = table(keys: 5)
            var model: [(app: Int, key: String, meaning: String, expires: UInt64, answer: String)] = []
            var now: UInt64 = 0
            for step in 0..<2_000 {
                now += UInt64.random(in: 0...9_000, using: &random)
                model.removeAll { $0.expires <= now }
                let app = Int.random(in: 0...2, using: &random), key = "k\(Int.random(in: 0...9, using: &random))"
                let meaning = Int.random(in: 0...4, using: &random) == 0 ? "other" : "body"
                let known = model.first { $0.app == app && $0.key == key }
                let outcome = table.claim([try claim(key, meaning)], app: app, milliseconds: now)
                guard let known else {
                    guard case .claimed(let all) = outcome, case .new(let ticket) = all[0] else {
                        Issue.record("step \(step): \(key) is new, not \(outcome)")
                        return
                    }
                    if Int.random(in: 0...3, using: &random) == 0 {
                        table.abandon(ticket)
                        continue
                    }
                    table.settle(ticket, answer: Array("\(step)".utf8))
                    model.append((app, key, meaning, now + 120_000, "\(step)"))
                    if model.count(where: { $0.app == app }) > 5,
                        let oldest = model.firstIndex(where: { $0.app == app })
                    {
                        model.remove(at: oldest)
                    }
                    continue
                }
                let expected: IdempotencyOutcome =
                    known.meaning == meaning
                    ? .claimed([.answered(Array(known.answer.utf8))]) : .conflict(index: 0)
                #expect(outcome == expected, "step \(step)")
            }
            for app in 0...2 { #expect(table.count(ofApp: app) >= model.count { $0.app == app }) }
        }
    }
#endif
