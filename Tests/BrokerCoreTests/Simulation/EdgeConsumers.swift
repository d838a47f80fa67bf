import BrokerCore
import Synchronization
import TestSupport

/// The simulation's consumers of edges, and a plain model of what each must be given.
///
/// One is told everything and asked after each command; one is told everything and asked now and then; one has a queue that is
/// nearly always full; one changes its mind about what it wants to hear.
struct EdgeConsumersUnderTest {
    /// How often the broker woke a consumer.
    private final class Wakes: Sendable {
        let count = Atomic<Int>(0)
    }

    /// A consumer, and what waits for it as a plain list.
    private struct Tap {
        var consumer: EdgeConsumer
        var wakes: Wakes
        var bytesMax: Int
        var kinds: [Set<ChannelEdge.Kind>]
        var waiting: [(edge: ChannelEdge, lost: UInt64)] = []
        var bytes = 0
        var lost: UInt64 = 0
        var dropped: [ChannelEdge.Kind: UInt64] = [:]
        var wakesWanted = 0

        mutating func push(_ edge: ChannelEdge) {
            guard kinds[edge.app].contains(edge.kind) else { return }
            guard bytes + edge.queueBytes <= bytesMax else {
                dropped[edge.kind, default: 0] += 1
                lost += 1
                return
            }
            if waiting.isEmpty { wakesWanted += 1 }
            bytes += edge.queueBytes
            waiting.append((edge, lost))
            lost = 0
        }

        /// Takes what waits.
        /// - Returns: what is wrong with it.
        mutating func take() -> String? {
            guard consumer.queuedBytes == bytes else { return "\(consumer.queuedBytes) bytes wait, not \(bytes)" }
            guard wakes.count.load(ordering: .relaxed) == wakesWanted else { return "woken a wrong number of times" }
            var got: [(edge: ChannelEdge, lost: UInt64)] = []
            let last = consumer.take { got.append(($0, $1)) }
            guard got.elementsEqual(waiting, by: { $0.edge == $1.edge && $0.lost == $1.lost }), last == lost else {
                return "got \(got), then lost \(last); expected \(waiting), then lost \(lost)"
            }
            for kind in ChannelEdge.Kind.allCases where consumer.dropped(kind) != dropped[kind, default: 0] {
                return "\(consumer.dropped(kind)) of \(kind) were dropped, not \(dropped[kind, default: 0])"
            }
            (waiting, bytes, lost) = ([], 0, 0)
            return consumer.queuedBytes == 0 ? nil : "bytes are left in an empty queue"
        }
    }

    private static let everything = Set(ChannelEdge.Kind.allCases)
    private let all: EdgeConsumer
    private let allWakes = Wakes()
    private var allWakesWanted = 0
    private var taps: [Tap] = []
    private(set) var book = EdgeBook()
    /// How many edges were compared.
    private(set) var count = 0

    init(shared: SharedBroker, random: inout SeededRandom) {
        let wakes = allWakes
        guard
            let all = shared.registerConsumer(
                queueBytesMax: 1 << 30, wake: { wakes.count.wrappingAdd(1, ordering: .relaxed) })
        else { preconditionFailure("five consumers can register") }
        for app in shared.apps { all.setInterest(Self.everything, in: app) }
        self.all = all
        for bytesMax in [1 << 30, random.int(0..<12) * 256, 1 << 30] {
            let wakes = Wakes()
            guard
                let consumer = shared.registerConsumer(
                    queueBytesMax: bytesMax, wake: { wakes.count.wrappingAdd(1, ordering: .relaxed) })
            else { preconditionFailure("five consumers can register") }
            for app in shared.apps { consumer.setInterest(Self.everything, in: app) }
            taps.append(
                Tap(
                    consumer: consumer, wakes: wakes, bytesMax: bytesMax,
                    kinds: shared.apps.map { _ in Self.everything }))
        }
    }

    /// What the last command led to, from the consumer that hears everything.
    /// - Returns: the edges, and what is wrong with what the consumers got.
    mutating func takeEdges() -> (edges: [ChannelEdge], fault: String?) {
        var edges: [ChannelEdge] = []
        var fault: String?
        let lost = all.take { edge, lost in
            if lost > 0 { fault = "an edge was lost" }
            edges.append(edge)
        }
        if lost > 0 { fault = "an edge was lost" }
        if !edges.isEmpty { allWakesWanted += 1 }
        if allWakes.count.load(ordering: .relaxed) != allWakesWanted { fault = "a wake was missing, or one too many" }
        count += edges.count
        for edge in edges {
            if let wrong = book.add(edge) { fault = "\(wrong): \(edge)" }
            for at in taps.indices { taps[at].push(edge) }
        }
        return (edges, fault)
    }

    /// One of the others takes what it has, or says what it wants to hear from now on.
    mutating func doSomething(_ apps: [App], _ random: inout SeededRandom) -> String? {
        let last = taps.count - 1
        guard random.oneIn(3) else { return takeAll(of: random.int(0...last)) }
        let (app, kinds) = (random.pick(apps), Self.everything.filter { _ in random.oneIn(2) })
        taps[last].kinds[app.index] = kinds
        taps[last].consumer.setInterest(kinds, in: app)
        return nil
    }

    /// Everybody takes what waits.
    mutating func takeAll() -> String? {
        for at in taps.indices {
            if let fault = takeAll(of: at) { return fault }
        }
        return nil
    }

    private mutating func takeAll(of at: Int) -> String? { taps[at].take().map { "consumer \(at): " + $0 } }
}
