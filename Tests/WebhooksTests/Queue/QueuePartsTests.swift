import BrokerCore
import TestSupport
import Testing

@testable import Webhooks

@Suite("Dead letters") struct DeadLettersTests {
    private static func letter(_ number: UInt64, endpoint: UInt64 = 1, bytes: Int = 2) -> DeadLetter {
        DeadLetter(
            event: QueueParts.event(number, bytes: bytes), endpoint: WebhookEndpointID(endpoint),
            unixMilliseconds: 0, reason: "answered 500")
    }

    private static func name(_ number: UInt64) -> DeadLetters.Name {
        .init(endpoint: WebhookEndpointID(1), event: .init(run: 7, number: number))
    }

    @Test func theOldestIsForgottenWhenThereAreTooManyOrTheyTakeTooMuch() {
        var letters = DeadLetters(countMax: 3, bytesMax: 5_000)
        for number: UInt64 in 1...3 { #expect(letters.add(Self.letter(number)).isEmpty) }
        #expect(letters.add(Self.letter(4)).map(\.event.id.number) == [1])
        #expect(letters.add(Self.letter(5, bytes: 4_500)).map(\.event.id.number) == [2, 3, 4])
        #expect(letters.all.map(\.event.id.number) == [5])
        #expect(letters.add(Self.letter(6, bytes: 6_000)).map(\.event.id.number) == [5, 6], "one that never fits")
        #expect(letters.count == 0 && letters.bytes == 0 && letters.perEndpoint.isEmpty)
    }

    @Test func oneThatIsDeadAgainIsTheNewest() {
        var letters = DeadLetters()
        for number: UInt64 in [1, 2, 1] { _ = letters.add(Self.letter(number)) }
        #expect(letters.all.map(\.event.id.number) == [2, 1] && letters.perEndpoint.values.first == 2)
    }

    @Test(arguments: 0..<10) func randomStepsLeaveWhatAListWouldHave(seed: Int) {
        var (letters, random) = (DeadLetters(countMax: 50, bytesMax: 12_000), SeededRandom(seed: seed))
        var model: [DeadLetter] = []
        for _ in 0..<4_000 {
            let number = UInt64(random.int(1...80))
            model.removeAll { $0.event.id.number == number }
            if random.oneIn(3) {
                _ = letters.remove(Self.name(number))
            } else {
                let letter = Self.letter(number, bytes: random.int(2...200))
                _ = letters.add(letter)
                model.append(letter)
                while model.count > 50 || model.reduce(0, { $0 + DeadLetters.bytes(of: $1) }) > 12_000 {
                    model.removeFirst()
                }
            }
            #expect(letters.all == model, "seed \(seed)")
            guard letters.all == model else { return }
        }
    }
}

@Suite("The log of attempts") struct AttemptLogTests {
    private static func record(_ app: String, _ number: Int) -> AttemptRecord {
        AttemptRecord(
            unixMilliseconds: Int64(number), app: app, endpoint: WebhookEndpointID(1),
            first: .init(run: 1, number: UInt64(number)), events: 1, attempt: 1, milliseconds: 1, outcome: QueueParts.ok
        )
    }

    @Test func eachAppKeepsItsLastOnesAndABusyOneTakesNoOthersAway() {
        var log = AttemptLog(perAppMax: 10, totalMax: 40)
        log.add(Self.record("quiet", 0))
        for number in 1...95 { log.add(Self.record("busy", number)) }
        #expect(log.records(app: "busy").map(\.unixMilliseconds) == Array(86...95))
        #expect(log.records(app: "quiet").count == 1 && log.records(app: "none").isEmpty && log.count == 11)
    }

    @Test func ofManyAppsEachKeepsAShare() {
        var log = AttemptLog(perAppMax: 10, totalMax: 40)
        for number in 0..<1_000 {
            log.add(Self.record("app \(number % 7)", number))
            #expect(log.count <= 40)
        }
        for app in 0..<7 {
            let kept = log.records(app: "app \(app)").map { Int($0.unixMilliseconds) }
            #expect((4...10).contains(kept.count), "\(kept)")
            #expect(zip(kept, kept.dropFirst()).allSatisfy { $1 - $0 == 7 } && (kept.last ?? 0) > 992, "the newest")
        }
        #expect(log.records(app: nil).count == log.count)
        var many = AttemptLog(perAppMax: 2, totalMax: 4)
        for number in 0..<100 { many.add(Self.record("app \(number)", number)) }
        #expect(many.count <= 4)
    }
}

@Suite("Due times") struct DueTimesTests {
    @Test(arguments: 0..<10) func theSoonestComesFirstAndNoneBeforeItsTime(seed: Int) {
        var (due, random) = (DueTimes<Int>(), SeededRandom(seed: seed))
        var (model, now): ([Int], UInt64) = ([], 0)
        for _ in 0..<2_000 {
            if random.oneIn(2) {
                let time = Int(now) + random.int(0...100)
                due.add(time, at: UInt64(time))
                model.append(time)
            } else {
                now += UInt64(random.int(0...20))
                while let one = due.pop(now: now) {
                    #expect(one == model.min() && one <= Int(now))
                    if let place = model.firstIndex(of: one) { model.remove(at: place) }
                }
                #expect(model.allSatisfy { $0 > Int(now) }, "seed \(seed)")
            }
            #expect(due.count == model.count && due.next.map(Int.init) == model.min())
        }
    }
}
