import BrokerCore
import TestSupport
import Testing

@testable import Webhooks

/// The queues against lists: random events, outcomes, times, reloads, retries and bounds.
@Suite("The queues against a plain model") struct QueueSimulationTests {
    private static let stepsPerRun = 4_000

    @Test(arguments: 0..<30) func nothingIsLostReorderedOrSentTwiceAtOnce(seed: Int) {
        var simulation = QueueSimulation(seed: seed)
        for step in 0..<Self.stepsPerRun {
            simulation.step()
            simulation.check(isWhole: step % 16 == 0)
            guard simulation.faults.isEmpty else {
                Issue.record("seed \(seed), step \(step): \(simulation.faults)")
                return
            }
        }
        simulation.finishAll()
        #expect(simulation.faults.isEmpty, "seed \(seed)")
        #expect(
            simulation.sent > 100 && simulation.buried > 0 && simulation.dropped > 0, "seed \(seed): all of it happens")
    }

    /// What one endpoint is sent and when, while another takes all, refuses all, or hangs.
    @Test(arguments: 0..<20) func anEndpointThatHangsChangesNoOthersTimes(seed: Int) {
        func times(ofOther other: Int) -> [String] {
            var (random, chance) = (SeededRandom(seed: seed), SeededRandom(seed: seed + 1_000))
            var queues = WebhookQueues()
            let maker = QueueParts.Maker()
            queues.configure([
                QueueParts.target(QueueParts.endpoint(1, batchMilliseconds: seed % 2 * 300, batchEventsMax: 5)),
                QueueParts.target(QueueParts.endpoint(2)),
            ])
            let (first, second) = (WebhookEndpointID(1), WebhookEndpointID(2))
            var (log, underWay, now): ([String], Set<WebhookEndpointID>, Moment) = (
                [], [], Moment(milliseconds: 0, unixMilliseconds: 0)
            )
            for number in 0..<2_000 {
                now.milliseconds += UInt64(random.int(0...400))
                queues.append(
                    SpoolEntry(event: QueueParts.event(UInt64(number + 1)), endpoints: [first, second]),
                    since: now.milliseconds, now)
                let (isDone, isGood, jitter) = (random.oneIn(3), !random.oneIn(5), chance.next())
                while let due = queues.popDue(now, maker.make) {
                    underWay.insert(due.endpoint)
                    if due.endpoint == first {
                        log.append("\(now.milliseconds) \(due.attempt) \(QueueParts.numbers(due.request))")
                    }
                }
                if isDone, underWay.remove(first) != nil {
                    queues.finished(first, isGood ? QueueParts.ok : QueueParts.no, now, jitter: jitter)
                }
                if other != 2, underWay.remove(second) != nil {
                    queues.finished(second, other == 0 ? QueueParts.ok : QueueParts.no, now, jitter: 3)
                }
            }
            return log
        }
        let alone = times(ofOther: 0)
        #expect(alone.count > 300)
        #expect(times(ofOther: 1) == alone, "seed \(seed): the other refuses")
        #expect(times(ofOther: 2) == alone, "seed \(seed): the other hangs")
    }
}

/// One run: the queues, and what they ought to have.
private struct QueueSimulation {
    /// What the model knows of an endpoint.
    private struct Model {
        /// What is to be sent, in its order; those of the request under way, or between two attempts, come first.
        var expected: [(number: UInt64, isAgain: Bool, since: UInt64)] = []
        /// Events of the request that was made last and has not ended.
        var batch = 0
        var request: [UInt8] = []
        var isUnderWay = false
        var attempts = 0
        /// No attempt before, and one by.
        var window: (earliest: UInt64, latest: UInt64)?
        var through: UInt64 = 0
        var settings: WebhookEndpoint
        var isConfigured = true
    }

    private var random: SeededRandom
    private var queues: WebhookQueues
    private let maker = QueueParts.Maker()
    private var models: [WebhookEndpointID: Model] = [:]
    private var dead: [DeadLetters.Name] = []
    private var now = Moment(milliseconds: 1_000_000, unixMilliseconds: 1_700_000_000_000)
    private var next: UInt64 = 1_000_000
    private var durable: UInt64 = .max
    private let retry: UInt64
    private var hasAdopted = false
    private var (added, purged, forgotten) = (0, 0, 0)
    private(set) var (sent, buried, dropped) = (0, 0, 0)
    private(set) var faults: [String] = []

    init(seed: Int) {
        random = SeededRandom(seed: seed)
        retry = UInt64(random.pick([5_000, 60_000, 300_000]))
        queues = WebhookQueues(
            .init(bytesMax: random.pick([20_000, 60_000]), retryMilliseconds: retry),
            letters: DeadLetters(countMax: 60, bytesMax: 20_000))
        for number in 1...UInt64(random.int(2...6)) {
            let settings = QueueParts.endpoint(
                number, batchMilliseconds: random.pick([0, 0, 200, 3_000]), batchEventsMax: random.int(1...12))
            models[settings.id] = Model(settings: settings)
        }
        configure()
    }

    private var names: [WebhookEndpointID] { models.keys.sorted() }

    private mutating func configure() {
        queues.configure(models.values.filter(\.isConfigured).map { QueueParts.target($0.settings) })
    }

    // MARK: Steps

    mutating func step() {
        switch random.int(0...99) {
        case 0..<45: append()
        case 45..<80: end()
        case 80..<90: pass(UInt64(random.pick([1, 50, 999, 2_500])))
        case 90..<92: pass(UInt64(random.pick([20_000, 70_000, retry])))
        case 92: reload()
        case 93: again()
        case 94: purge()
        case 95: adopt()
        case 96: hasten()
        default: durable = random.oneIn(2) ? .max : next - UInt64(random.int(0...5))
        }
        queues.setDurable(durable)
        hear()
        take()
    }

    private mutating func append() {
        let chosen = names.filter { _ in random.oneIn(2) }
        guard !chosen.isEmpty else { return }
        next += 1
        let event = QueueParts.event(next, bytes: random.int(2...400), unix: now.unixMilliseconds)
        let age = UInt64(random.pick([0, 0, 0, 3_000]))
        for name in chosen where exists(name) {
            models[name]?.expected.append((next, false, now.milliseconds - age))
            added += 1
        }
        queues.append(SpoolEntry(event: event, endpoints: chosen), since: now.milliseconds - age, now)
    }

    private func exists(_ name: WebhookEndpointID) -> Bool { queues.target(of: name) != nil }

    private mutating func pass(_ milliseconds: UInt64) {
        now.milliseconds += milliseconds
        now.unixMilliseconds += Int64(milliseconds)
    }

    private mutating func reload() {
        let name = random.pick(names)
        models[name]?.isConfigured.toggle()
        if models[name]?.isConfigured == true {
            let before = models[name]?.settings
            models[name]?.settings.batchMilliseconds = random.pick([0, 100, 2_000])
            if models[name]?.settings != before {
                // What is tried again is made anew, and at once.
                models[name]?.request = []
                if models[name]?.window != nil { models[name]?.window = (0, now.milliseconds) }
            }
        }
        configure()
    }

    private mutating func adopt() {
        guard !hasAdopted else { return }
        hasAdopted = true
        // There was no spool before that could have been told anything.
        for name in names { models[name]?.through = 0 }
        let entries = (1...random.int(1...20)).map { number in
            SpoolEntry(
                event: QueueParts.event(UInt64(number), unix: now.unixMilliseconds - 400_000),
                endpoints: names.filter { _ in random.oneIn(2) })
        }
        for entry in entries {
            for name in entry.endpoints {
                added += 1
                guard exists(name), var model = models[name] else { continue }
                let place =
                    model.batch
                    + model.expected.dropFirst(model.batch).prefix { $0.number < 1_000_000 && !$0.isAgain }.count
                model.expected.insert((entry.event.id.number, false, now.milliseconds), at: place)
                models[name] = model
            }
        }
        queues.adopt(entries, now)
    }

    private mutating func again() {
        let wanted = random.pick(names)
        let before = dead
        let count = queues.retry(now) { [isAll = random.oneIn(2)] in isAll || $0.endpoint == wanted }
        let left = Set(queues.letters.all.map { DeadLetters.Name(endpoint: $0.endpoint, event: $0.event.id) })
        let taken = before.filter { !left.contains($0) }
        if taken.count != count { faults.append("\(taken.count) dead letters went, \(count) were told") }
        for name in taken {
            if models[name.endpoint]?.isConfigured != true { faults.append("one of a removed endpoint was sent again") }
            models[name.endpoint]?.expected.append((name.event.number, true, now.milliseconds))
            added += 1
        }
        buried -= taken.count
        added -= taken.count
        dead.removeAll { !left.contains($0) }
    }

    private mutating func purge() {
        let wanted = random.pick(names)
        let count = queues.purge { $0.endpoint == wanted }
        if dead.count(where: { $0.endpoint == wanted }) != count { faults.append("purged \(count)") }
        dead.removeAll { $0.endpoint == wanted }
        purged += count
    }

    private mutating func hasten() {
        _ = queues.hasten { _ in true }
        for name in names where models[name]?.window != nil { models[name]?.window = (0, now.milliseconds) }
    }

    /// Some attempt ends.
    private mutating func end() {
        guard let name = names.filter({ models[$0]?.isUnderWay == true }).randomElement(using: &random) else { return }
        let outcome: AttemptOutcome =
            switch random.int(0...9) {
            case 0..<5: QueueParts.ok
            case 5: .failed(AttemptFailure(.timeout, "late"))
            case 6: .answered(status: 429, retryAfterSeconds: random.pick([1, 30, 600]))
            case 7: .failed(AttemptFailure(.cancelled, "off"))
            default: QueueParts.no
            }
        end(name, outcome)
    }

    private mutating func end(_ name: WebhookEndpointID, _ outcome: AttemptOutcome) {
        guard var model = models[name] else { return }
        model.isUnderWay = false
        let oldest = model.expected.prefix(model.batch).map(\.since).min() ?? 0
        if outcome.isSuccess {
            sent += model.batch
            model.expected.removeFirst(model.batch)
            (model.batch, model.request, model.attempts, model.window) = (0, [], 0, nil)
        } else {
            let base = min(60_000, UInt64(1_000) << UInt64(min(model.attempts - 1, 6)))
            var asked: UInt64 = 0
            if case .answered(_, let seconds?) = outcome { asked = UInt64(min(60, seconds)) * 1_000 }
            // The last attempt comes when the time is over, which may be sooner.
            var soonest = min(base, max(oldest + retry, now.milliseconds) - now.milliseconds)
            if outcome == .failed(AttemptFailure(.cancelled, "off")) { soonest = 1_000 }
            let latest: UInt64 = base * 11 / 10
            model.window = (now.milliseconds + max(asked, soonest), now.milliseconds + max(asked, latest))
        }
        models[name] = model
        queues.finished(name, outcome, now, jitter: random.next())
    }

    // MARK: What comes of it

    /// All that is due.
    private mutating func take() {
        while let due = queues.popDue(now, maker.make) {
            let numbers = QueueParts.numbers(due.request)
            guard var model = models[due.endpoint] else { continue }
            if model.isUnderWay { faults.append("two requests at once") }
            if model.expected.prefix(numbers.count).map(\.number) != numbers {
                faults.append("\(due.endpoint) is sent \(numbers), and \(model.expected.prefix(5)) wait")
            }
            if let earliest = model.window?.earliest, now.milliseconds < earliest {
                faults.append("\(due.endpoint) at \(now.milliseconds), before \(earliest)")
            }
            if due.attempt == 1, !areDurable(numbers, model) {
                faults.append("what is not durable is sent")
            }
            if due.attempt > 1, !model.request.isEmpty, due.request.bytes != model.request {
                faults.append("a retry is another request")
            }
            if due.attempt != model.attempts + 1 { faults.append("attempt \(due.attempt) after \(model.attempts)") }
            let isAlone = model.settings.batchMilliseconds == 0 && due.attempt == 1
            if numbers.count > (isAlone ? 1 : 12) {
                faults.append("\(numbers.count) events in a request")
            }
            (model.isUnderWay, model.batch, model.request) = (true, numbers.count, due.request.bytes)
            (model.attempts, model.window) = (due.attempt, nil)
            models[due.endpoint] = model
            hear()
        }
    }

    private func areDurable(_ numbers: [UInt64], _ model: Model) -> Bool {
        let again = Set(model.expected.filter(\.isAgain).map(\.number))
        return numbers.allSatisfy { $0 <= durable || $0 < 1_000_000 || again.contains($0) }
    }

    /// What the spool and the log are told.
    private mutating func hear() {
        for one in queues.news {
            switch one {
            case .finished(let name, let through):
                if through > models[name]?.through ?? .max { models[name]?.through = through }
            case .buried(let letters): for letter in letters { bury(letter) }
            case .dropped(let target, let count):
                let name = target.endpoint.id
                guard var model = models[name] else { continue }
                model.expected.removeSubrange(model.batch..<min(model.expected.count, model.batch + count))
                dropped += count
                models[name] = model
            case .lettersDropped(let count): forgotten += count
            case .forgotten(let name, let events):
                for event in events { dead.removeAll { $0 == .init(endpoint: name, event: event) } }
            case .beganToFail, .recovered, .sent: break
            }
        }
        queues.news = []
    }

    private mutating func bury(_ letter: DeadLetter) {
        buried += 1
        dead.append(.init(endpoint: letter.endpoint, event: letter.event.id))
        guard var model = models[letter.endpoint], let first = model.expected.first,
            letter.reason != "the endpoint is not configured any more"
        else { return }
        if first.number != letter.event.id.number { faults.append("\(letter.event.id.number) is dead before \(first)") }
        model.expected.removeFirst()
        model.batch = max(0, model.batch - 1)
        if model.batch == 0 { (model.attempts, model.request, model.window) = (0, [], nil) }
        models[letter.endpoint] = model
    }

    // MARK: What must hold

    mutating func check(isWhole: Bool = true) {
        var (bytes, events, droppable) = (0, 0, 0)
        for queue in queues.all {
            let name = queue.target.endpoint.id
            bytes += queue.keptBytes
            events += queue.count
            droppable += queue.droppableBytes
            guard let model = models[name] else { continue }
            if isWhole, queue.allWaiting.map(\.event.id.number) != model.expected.map(\.number) {
                faults.append(
                    "\(name) has \(queue.allWaiting.map(\.event.id.number)), not \(model.expected.map(\.number))")
            }
            if let lost = model.expected.first(where: { !$0.isAgain && $0.number <= model.through }) {
                faults.append("the spool was told that \(lost.number) of \(name) is done")
            }
            if let latest = model.window?.latest, now.milliseconds > latest, !model.isUnderWay {
                faults.append("\(name) is not tried again by \(latest)")
            }
        }
        if bytes != queues.keptBytes || events != queues.count { faults.append("the sums are wrong") }
        if bytes > queues.rules.bytesMax, droppable > 0 { faults.append("\(bytes) bytes wait") }
        if queues.letters.count != dead.count || queues.letters.count > 60 || queues.letters.bytes > 20_000 {
            faults.append("\(queues.letters.count) dead letters, not \(dead.count)")
        }
        let waiting = models.values.reduce(0) { $0 + $1.expected.count }
        if added != sent + buried + dropped + waiting {
            faults.append("\(added) came, \(sent) + \(buried) + \(dropped) + \(waiting)")
        }
    }

    /// Everybody takes everything.
    mutating func finishAll() {
        durable = .max
        queues.setDurable(durable)
        for _ in 0..<100_000 where models.values.contains(where: { !$0.expected.isEmpty }) {
            pass(10_000)
            take()
            for name in names where models[name]?.isUnderWay == true { end(name, QueueParts.ok) }
            hear()
            take()
            check()
            guard faults.isEmpty else { return }
        }
        if models.values.contains(where: { !$0.expected.isEmpty }) { faults.append("something is never sent") }
        if queues.keptBytes != 0 { faults.append("\(queues.keptBytes) bytes are kept of nothing") }
    }
}
