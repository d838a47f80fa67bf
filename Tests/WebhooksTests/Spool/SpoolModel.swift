import BrokerCore
import PusherProtocol
import TestSupport

@testable import Webhooks

/// What a spool ought to have, in the plainest form.
struct SpoolModel: Equatable {
    struct Pair: Hashable {
        var event: WebhookEvent.ID
        var endpoint: WebhookEndpointID
    }

    var events: [WebhookEvent.ID: WebhookEvent] = [:]
    var waiting: Set<Pair> = []
    var letters: [SpoolLetterKey: DeadLetter] = [:]

    init() {}

    init(_ contents: SpoolContents) {
        for entry in contents.waiting { append(entry) }
        for letter in contents.deadLetters { bury(letter) }
    }

    mutating func append(_ entry: SpoolEntry) {
        events[entry.event.id] = entry.event
        for endpoint in entry.endpoints { waiting.insert(Pair(event: entry.event.id, endpoint: endpoint)) }
    }

    mutating func finish(_ endpoint: WebhookEndpointID, through number: UInt64) {
        waiting = waiting.filter { $0.endpoint != endpoint || $0.event.number > number }
        forgetFinished()
    }

    mutating func bury(_ letter: DeadLetter) {
        letters[SpoolLetterKey(endpoint: letter.endpoint, event: letter.event.id)] = letter
        waiting.remove(Pair(event: letter.event.id, endpoint: letter.endpoint))
        forgetFinished()
    }

    private mutating func forgetFinished() {
        let living = Set(waiting.map(\.event))
        events = events.filter { living.contains($0.key) }
    }

    func oldest(of endpoint: WebhookEndpointID) -> WebhookEvent? {
        waiting.filter { $0.endpoint == endpoint }.map(\.event).min().flatMap { events[$0] }
    }
}

/// An owner that does at random what owners do.
struct RandomOwner {
    var random: SeededRandom
    var model = SpoolModel()
    var run: UInt64 = 1
    var next: UInt64 = 1
    let endpoints = (1...4).map { WebhookEndpointID($0) }

    init(seed: Int) { random = SeededRandom(seed: seed) }

    /// Goes on with what a spool has after a restart.
    mutating func adopt(_ contents: SpoolContents) {
        run += 1
        next = contents.nextNumber
        model = SpoolModel(contents)
    }

    mutating func orders() -> SpoolOrders {
        var orders = SpoolOrders()
        for _ in 0..<random.int(0...8) {
            switch random.int(0...9) {
            case 0...5: orders.operations.append(.append(newEntry()))
            case 6: if let letter = death() { orders.operations.append(.bury(letter)) }
            case 7:
                guard let key = model.letters.keys.min(by: { ($0.event, $0.endpoint) < ($1.event, $1.endpoint) }) else {
                    continue
                }
                if let letter = model.letters[key], random.oneIn(3) {
                    var again = letter
                    again.unixMilliseconds += 1
                    orders.operations += [.forget(key), .bury(again)]
                    model.bury(again)
                } else {
                    orders.operations.append(.forget(key))
                    model.letters[key] = nil
                }
            default:
                // Who waits longest is the one that is worst served: the last endpoint rarely finishes anything.
                let endpoint = random.oneIn(12) ? endpoints[3] : random.pick(Array(endpoints[..<3]))
                guard next > 1 else { continue }
                let number = next - UInt64(random.int(1...Int(min(next - 1, 6))))
                guard model.oldest(of: endpoint)?.id.number ?? .max <= number else { continue }
                orders.cursors[endpoint] = max(orders.cursors[endpoint] ?? 0, number)
            }
        }
        for (endpoint, number) in orders.cursors { model.finish(endpoint, through: number) }
        orders.highest = next - 1
        return orders
    }

    private mutating func newEntry() -> SpoolEntry {
        var event = Sample.randomEvent(next, &random)
        event.id.run = run
        let wanted = endpoints.filter { _ in random.oneIn(2) }
        let entry = SpoolEntry(event: event, endpoints: wanted.isEmpty ? [endpoints[0]] : wanted)
        next += 1
        model.append(entry)
        return entry
    }

    private mutating func death() -> DeadLetter? {
        let endpoint = random.pick(endpoints)
        guard let event = model.oldest(of: endpoint) else { return nil }
        let letter = DeadLetter(
            event: event, endpoint: endpoint, unixMilliseconds: Int64(random.int(0...99)), reason: "500")
        model.bury(letter)
        return letter
    }
}

extension SpoolOptions {
    /// Segments of 4 KiB, so that a short test has many.
    static func tiny(_ sync: Sync = .batch, bytesMax: Int = 1_048_576) -> Self {
        var options = Self()
        (options.sync, options.bytesMax, options.segmentBytesWanted) = (sync, bytesMax, 4_096)
        return options
    }
}

extension MemoryDisk {
    func open(_ options: SpoolOptions = .tiny()) throws -> (SpoolWriter, SpoolContents) {
        try SpoolWriter.open(self, options)
    }

    /// Another process finds what this one has written.
    func afterKill() -> MemoryDisk { MemoryDisk(bytes) }
}
