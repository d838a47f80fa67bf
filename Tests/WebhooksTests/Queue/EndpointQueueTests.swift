import BrokerCore
import PusherProtocol
import TestSupport
import Testing

@testable import Webhooks

@Suite("The queue of an endpoint (PW-175)") struct EndpointQueueTests {
    private let maker = QueueParts.Maker()
    private static let retry: UInt64 = 300_000

    private func queue(_ endpoint: WebhookEndpoint = QueueParts.endpoint(1), events: Int) -> EndpointQueue {
        var queue = EndpointQueue(QueueParts.target(endpoint))
        for number in 0..<events { queue.append(QueueParts.waiting(UInt64(number + 1), at: 0)) }
        return queue
    }

    private func next(_ queue: inout EndpointQueue, _ now: UInt64, durable: UInt64 = .max) -> EndpointQueue.Next {
        queue.next(now: now, durable: durable, maker.make)
    }

    private func sent(_ next: EndpointQueue.Next) -> [UInt64]? {
        if case .send(let request, _) = next { QueueParts.numbers(request) } else { nil }
    }

    @Test func eventsGoAloneAndOneAfterTheOtherUnlessTheyAreBatched() {
        var queue = queue(events: 3)
        for number: UInt64 in 1...3 {
            #expect(sent(next(&queue, 0)) == [number])
            #expect(next(&queue, 0) == .nothing, "one request is under way at a time")
            let ended = queue.finished(QueueParts.ok, now: 0, retryMilliseconds: Self.retry, jitter: 0)
            #expect(ended == EndpointQueue.Finished(through: number, sent: 1))
        }
        #expect(next(&queue, 0) == .nothing && queue.isEmpty && queue.keptBytes == 0)
    }

    @Test func aBatchGoesWhenItIsFullOrItsFirstHasWaited() {
        var full = queue(QueueParts.endpoint(1, batchMilliseconds: 500, batchEventsMax: 3), events: 7)
        #expect(sent(next(&full, 0)) == [1, 2, 3])
        _ = full.finished(QueueParts.ok, now: 1, retryMilliseconds: Self.retry, jitter: 0)
        #expect(sent(next(&full, 1)) == [4, 5, 6])
        _ = full.finished(QueueParts.ok, now: 2, retryMilliseconds: Self.retry, jitter: 0)
        #expect(next(&full, 499) == .wait(until: 500))
        #expect(sent(next(&full, 500)) == [7])
    }

    @Test func aBatchCarriesAMegabyteAtMostButOneEventWhateverItsSize() {
        var queue = EndpointQueue(
            QueueParts.target(QueueParts.endpoint(1, batchMilliseconds: 1, batchEventsMax: 1_000)))
        for number: UInt64 in 1...3 { queue.append(QueueParts.waiting(number, at: 0, bytes: 500_000)) }
        queue.append(QueueParts.waiting(4, at: 0, bytes: 2_000_000))
        queue.append(QueueParts.waiting(5, at: 0))
        for expected: [UInt64] in [[1, 2], [3], [4], [5]] {
            #expect(sent(next(&queue, 1)) == expected)
            _ = queue.finished(QueueParts.ok, now: 1, retryMilliseconds: Self.retry, jitter: 0)
        }
    }

    @Test func theNamesOfARequestsEventsAreFourKilobytesAtMost() {
        var queue = EndpointQueue(
            QueueParts.target(QueueParts.endpoint(1, batchMilliseconds: 1, batchEventsMax: 1_000)))
        // Numbers such as a process has that does not know the last one: 16 + 1 + 13 digits, a comma and a blank.
        for number: UInt64 in 0..<300 { queue.append(QueueParts.waiting(1_796_022_728_303_000 + number, at: 0)) }
        for count in [128, 128, 44] {
            #expect(sent(next(&queue, 1))?.count == count)
            _ = queue.finished(QueueParts.ok, now: 1, retryMilliseconds: Self.retry, jitter: 0)
        }
    }

    @Test func whatIsTriedAgainIsMadeAnewWhenTheEndpointIsConfiguredOtherwise() {
        var endpoint = QueueParts.endpoint(1)
        var queue = queue(endpoint, events: 2)
        #expect(sent(next(&queue, 0)) == [1])
        _ = queue.finished(QueueParts.no, now: 0, retryMilliseconds: Self.retry, jitter: 0)
        queue.retarget(QueueParts.target(endpoint))
        #expect(next(&queue, 10) == .wait(until: 1_000) && maker.made == 1, "nothing has changed")
        endpoint.allowsPrivate = true
        queue.retarget(QueueParts.target(endpoint))
        guard case .send(let request, let attempt) = next(&queue, 10) else {
            Issue.record("it is tried at once")
            return
        }
        #expect(request.endpoint == endpoint && attempt == 2 && QueueParts.numbers(request) == [1] && maker.made == 2)
        queue.retarget(
            DeliveryTarget(endpoint: endpoint, app: "shop", key: AppKey(key: "k", secret: "another secret")))
        _ = queue.finished(QueueParts.no, now: 20, retryMilliseconds: Self.retry, jitter: 0)
        #expect(next(&queue, 20) == .wait(until: 2_020), "it was under way")
        #expect(sent(next(&queue, 2_020)) == [1] && maker.made == 3)
        _ = queue.finished(QueueParts.ok, now: 2_030, retryMilliseconds: Self.retry, jitter: 0)
        #expect(sent(next(&queue, 2_030)) == [2])
    }

    @Test("Who is refused costs no other its attempt, unless nobody answers", arguments: [true, false])
    func inARow(isAnswered: Bool) {
        let bad = EndpointQueue.buriedInRowMax + 1
        var queue = queue(events: bad + 5)
        var (now, attempted, buried, taken): (UInt64, Set<UInt64>, Int, Int) = (0, [], 0, 0)
        while !queue.isEmpty, now < 4_000_000 {
            guard case .send(let request, _) = next(&queue, now), let number = QueueParts.numbers(request).first else {
                now += 1_000
                continue
            }
            attempted.insert(number)
            let no = isAnswered ? QueueParts.no : .failed(AttemptFailure(.connect, "nobody listens"))
            let outcome = isAnswered && number > UInt64(bad) ? QueueParts.ok : no
            let ended = queue.finished(outcome, now: now, retryMilliseconds: Self.retry, jitter: 0)
            (buried, taken) = (buried + ended.buried.count, taken + ended.sent)
        }
        #expect(buried == (isAnswered ? bad : bad + 5) && taken == (isAnswered ? 5 : 0))
        #expect(attempted.count == (isAnswered ? bad + 5 : EndpointQueue.buriedInRowMax))
    }

    @Test func whatIsNotDurableIsNotSent() {
        var queue = queue(QueueParts.endpoint(1, batchMilliseconds: 10, batchEventsMax: 10), events: 4)
        #expect(next(&queue, 50, durable: 0) == .nothing)
        #expect(sent(next(&queue, 50, durable: 3)) == [1, 2, 3])
    }

    @Test func aRequestThatFailsIsSentAgainByteForByteEverMoreSlowlyUntilItsTimeIsOver() {
        var queue = queue(events: 2)
        var (now, times, requests): (UInt64, [UInt64], Set<[UInt8]>) = (0, [], [])
        var buried: [WaitingEvent] = []
        while buried.isEmpty {
            guard case .send(let request, let attempt) = next(&queue, now) else {
                Issue.record("nothing is sent at \(now)")
                return
            }
            times.append(now)
            requests.insert(request.bytes)
            #expect(attempt == times.count)
            let ended = queue.finished(QueueParts.no, now: now, retryMilliseconds: Self.retry, jitter: 0)
            #expect(ended.turn == (attempt == 1 ? .beganToFail : .none))
            buried = ended.buried
            #expect(ended.through == (buried.isEmpty ? nil : 1))
            guard let until = queue.retryAt else { continue }
            #expect(next(&queue, until - 1) == .wait(until: until), "not before its time")
            now = until
        }
        #expect(times == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 300].map { $0 * 1_000 })
        #expect(requests.count == 1 && buried.map(\.event.id.number) == [1])
        #expect(now == 301_000, "the next goes a second later")
        #expect(sent(next(&queue, now)) == [2])
        let ended = queue.finished(QueueParts.ok, now: now, retryMilliseconds: Self.retry, jitter: 0)
        #expect(ended.turn == .recovered(failures: 11) && queue.failures == 0)
    }

    @Test(arguments: [
        Row("longer than ours", (30, 30_000 as UInt64)), Row("shorter than ours", (0, 1_000)),
        Row("longer than a minute", (3_600, 60_000)),
    ])
    func aReceiverMayAskForATime(_ row: Row<(Int, UInt64)>) {
        var queue = queue(events: 1)
        _ = next(&queue, 0)
        _ = queue.finished(
            .answered(status: 503, retryAfterSeconds: row.value.0), now: 0, retryMilliseconds: Self.retry, jitter: 0)
        #expect(queue.retryAt == row.value.1)
    }

    @Test func upToATenthMoreIsChance() {
        let delays = (0..<5_000).map {
            RetryTimes.delayMilliseconds(failures: 3, retryAfterSeconds: nil, jitter: UInt64($0))
        }
        #expect(delays.min() == 4_000 && delays.max() == 4_400)
        #expect(RetryTimes.delayMilliseconds(failures: 500, retryAfterSeconds: nil, jitter: 6_000) == 66_000)
    }

    @Test func anAttemptThatWasCalledOffCountsForNothing() {
        var queue = queue(events: 1)
        _ = next(&queue, 0)
        let ended = queue.finished(
            .failed(AttemptFailure(.cancelled, "")), now: 400_000, retryMilliseconds: Self.retry, jitter: 0)
        #expect(ended == EndpointQueue.Finished() && queue.failures == 0)
        #expect(sent(next(&queue, 500_000)) == [1])
    }

    @Test func whatIsAdoptedGoesFirstAndIsNotTakenForDone() {
        var queue = EndpointQueue(QueueParts.target(QueueParts.endpoint(1)))
        for number: UInt64 in 100...101 { queue.append(QueueParts.waiting(number, at: 0)) }
        #expect(sent(next(&queue, 0)) == [100])
        queue.adopt([QueueParts.waiting(5, at: 0), QueueParts.waiting(9, at: 0)])
        var through: [UInt64?] = []
        var order: [UInt64] = [100]
        for _ in 0..<4 {
            through.append(
                queue.finished(QueueParts.ok, now: 0, retryMilliseconds: Self.retry, jitter: 0).through)
            order += sent(next(&queue, 0)) ?? []
        }
        #expect(order == [100, 5, 9, 101] && through == [4, 5, 9, 101])
    }

    @Test func oneThatIsRefusedCostsNoOtherItsAttempts() {
        var queue = queue(events: 3)
        var now: UInt64 = 0
        var buried: [UInt64] = []
        while buried.isEmpty {
            guard case .send = next(&queue, now) else { break }
            buried = queue.finished(QueueParts.no, now: now, retryMilliseconds: Self.retry, jitter: 0).buried
                .map(\.event.id.number)
            now = queue.retryAt ?? now
        }
        #expect(buried == [1] && sent(next(&queue, now)) == [2])
    }

    @Test func behindAnEndpointThatIsGoneWhatIsTooOldIsNotTriedOneByOne() {
        var queue = queue(events: 1_000)
        var (now, attempts): (UInt64, Int) = (0, 0)
        while !queue.isEmpty {
            if case .send = next(&queue, now) {
                attempts += 1
                let gone = AttemptOutcome.failed(AttemptFailure(.connect, "nobody listens"))
                _ = queue.finished(gone, now: now, retryMilliseconds: Self.retry, jitter: 0)
            }
            now = queue.retryAt ?? now
        }
        #expect((18...24).contains(attempts), "\(attempts)")
        #expect((300_000...320_000).contains(now))
    }

    @Test func aDeadLetterThatIsSentAgainIsNoPartOfTheOrder() {
        var queue = queue(events: 1)
        var again = QueueParts.waiting(50, at: 0)
        again.isAgain = true
        queue.append(again)
        _ = next(&queue, 0, durable: 1)
        _ = queue.finished(QueueParts.ok, now: 0, retryMilliseconds: Self.retry, jitter: 0)
        #expect(sent(next(&queue, 0, durable: 1)) == [50])
        let ended = queue.finished(QueueParts.ok, now: 0, retryMilliseconds: Self.retry, jitter: 0)
        #expect(ended.through == nil && ended.sentAgain.map(\.number) == [50])
    }
}
