import BrokerCore
import Glibc
import Synchronization
import TestSupport
import Testing

/// The same broker under real threads, one for each loop. CI runs it under ThreadSanitizer too.
///
/// No model can say what must happen here, but a witness on each channel, there from the first event to the last, hears
/// the channel's one order; whatever any other subscriber heard must be a gapless piece of it.
@Suite("DeliveryQueue and registry under threads") struct StressTests {
    /// The loops, each used by one thread.
    private final class Hall: @unchecked Sendable {
        // SAFETY: between the start and the join of the threads, each thread uses only the loop of its own number.
        let loops: [StressLoop]
        init(_ loops: [StressLoop]) { self.loops = loops }
    }

    /// Replaces the settings as long as a loop runs: limits change, and a third app comes and goes. A round for a few steps of a loop: who
    /// did nothing but replace would hardly let the loops to the lock.
    private final class Replacer: Sendable {
        private let loopsLeft: Atomic<Int>
        private let rounds = Atomic<Int>(0)
        private let progress = Atomic<Int>(0)

        init(loops: Int) { loopsLeft = Atomic(loops) }

        func loopHasMoved() { progress.wrappingAdd(1, ordering: .relaxed) }

        func loopHasEnded() { loopsLeft.wrappingSubtract(1, ordering: .relaxed) }

        var roundCount: Int { rounds.load(ordering: .relaxed) }

        func run(_ shared: SharedBroker) {
            var round = 0
            repeat {
                round += 1
                let seen = progress.load(ordering: .relaxed)
                var apps = ["a", "b", "c"].map(StressTests.settings)
                apps[0].limits.channelsPerConnectionMax = 50 + round % 7
                apps[1].limits.cacheSeconds = 1_000 + round % 5
                if round % 2 == 0 { apps.removeLast() }
                if round % 3 == 0 { apps.reverse() }
                if (try? shared.replaceApps(apps)) == nil { preconditionFailure("three apps have numbers") }
                while loopsLeft.load(ordering: .relaxed) > 0, progress.load(ordering: .relaxed) == seen {
                    sched_yield()
                }
            } while loopsLeft.load(ordering: .relaxed) > 0
            rounds.store(round, ordering: .relaxed)
        }
    }

    private static func settings(_ id: String) -> AppSettings {
        var app = AppSettings(id: id, keys: [.init(key: id + "-key", secret: id)])
        app.clientEventsEnabled = true
        app.subscriptionCountEnabled = true
        app.limits.clientEventsPerSecondMax = nil
        return app
    }

    /// Under the small limit the queues are full half of the time.
    @Test(arguments: 0..<6, [64 << 20, 8 << 10])
    func everySubscriberHearsAPieceOfTheOneOrder(seed: Int, queueBytesMax: Int) throws {
        let count = 2 + seed % 3
        let shared = SharedBroker(
            settings: [Self.settings("a"), Self.settings("b")], loopCount: count, seed: UInt64(seed),
            queueBytesMax: queueBytesMax)
        let hall = Hall((0..<count).map { StressLoop(shared: shared, loop: $0, seed: seed) })
        let listener = EdgeListener(shared: shared, loops: count)
        let witnesses = (0...1).map { app in
            let slot = hall.loops[0].open(app: app, isWitness: true)
            for channel in StressLoop.events { hall.loops[0].subscribe(slot, channel) }
            hall.loops[0].applyEffects()
            return slot
        }
        let replacer = Replacer(loops: count)
        Threads.run(count + 2) { number in
            guard number < count else { return number == count ? listener.listen() : replacer.run(shared) }
            for _ in 0..<200 {
                hall.loops[number].run(steps: 10)
                replacer.loopHasMoved()
            }
            listener.loopHasEnded()
            replacer.loopHasEnded()
        }
        #expect(replacer.roundCount > 0 && hall.loops.contains { $0.settingsTaken > 0 })
        #expect(shared.apps.map(\.settings.id).prefix(2) == ["a", "b"] && shared.apps.count <= 3)
        becomeQuiet(hall.loops)
        for loop in hall.loops { #expect(loop.fault == nil) }
        // Where queues are full, most is refused.
        try checkOrder(hall.loops, witnesses: witnesses, leastHeard: queueBytesMax > 1 << 20 ? 50 : 0)
        checkBeliefs(hall.loops)
        #if DEBUG
            #expect(InvariantWalker.fault(in: hall.loops.map(\.broker)) == nil)
        #endif
        for loop in hall.loops { for slot in loop.clients.keys.sorted() { loop.close(slot) } }
        becomeQuiet(hall.loops)
        #if DEBUG
            #expect(InvariantWalker.fault(in: hall.loops.map(\.broker)) == nil)
        #endif
        listener.takeAll()
        let book = try listener.check()
        #expect(book.occupied.isEmpty && book.online.isEmpty, "everybody has gone")
        for app in shared.apps { #expect(app.connectionCount == 0 && app.channelCount == 0) }
        for loop in 0..<shared.loopCount { #expect(shared.queuedBytes(of: loop) == 0) }
    }

    private func becomeQuiet(_ loops: [StressLoop]) {
        while loops.contains(where: \.broker.hasWork) {
            for loop in loops {
                loop.broker.settleDepartures(limit: .max)
                loop.deliver(limit: .max)
            }
        }
    }

    private func checkOrder(_ loops: [StressLoop], witnesses: [UInt32], leastHeard: Int) throws {
        for (app, slot) in witnesses.enumerated() {
            for channel in StressLoop.events {
                let order = try #require(loops[0].clients[slot]?.events[channel])
                #expect(order.count > leastHeard)
                let place = Dictionary(zip(order, order.indices), uniquingKeysWith: { first, _ in first })
                #expect(place.count == order.count, "the witness heard nothing twice")
                var heard: [[String]] = []
                for loop in loops {
                    heard += loop.histories.filter { $0.app == app && $0.channel == channel }.map(\.events)
                    heard += loop.clients.values.filter { $0.app == app }.compactMap { $0.events[channel] }
                }
                for events in heard {
                    guard let first = events.first else { continue }
                    let start = try #require(place[first])
                    #expect(Array(order[start..<min(order.count, start + events.count)]) == events)
                }
            }
        }
    }

    /// Rosters and watchlists, now that nothing is on its way.
    private func checkBeliefs(_ loops: [StressLoop]) {
        for loop in loops {
            for (slot, client) in loop.clients {
                let app = loop.broker.shared.apps[client.app]
                for (channel, members) in client.rosters {
                    let name = Array(channel.utf8)
                    let real = loop.broker.users(of: name.span, app: app).map { String(decoding: $0, as: UTF8.self) }
                    #expect(members == Set(real), "slot \(slot) in \(channel)")
                }
                for (user, isOnline) in client.online {
                    let isThere = loops.contains { other in
                        other.clients.values.contains { $0.app == client.app && $0.user == user }
                    }
                    #expect(isOnline == isThere, "slot \(slot) about \(user)")
                }
            }
        }
    }
}
