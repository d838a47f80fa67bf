import BrokerCore
import PusherProtocol
import TestSupport

@testable import Webhooks

/// The story or the reference is wrong: where, and what led there.
struct StoryDivergence: Error, CustomStringConvertible {
    var description: String
}

/// A world of loops and clients, one consumer that hears every edge, and one whose edges become happenings.
///
/// Of all edges the reference says what is to be told, subject by subject. Where the story's queue is small it loses edges, and what it
/// tells must still alternate and end in the truth.
final class StorySimulation {
    private let world: StoryWorld
    private let oracle: EdgeConsumer
    private let consumer: EdgeConsumer
    private var story: EdgeStory
    private var reference: StoryReference
    private var ledger = StoryLedger()
    private var random: SeededRandom
    private let isLossy: Bool
    /// The step at which an app's webhooks are switched on, by app.
    private var switchedOn: [Int?]
    private var told: [StoryReference.Subject: [StoryReference.Line]] = [:]
    private var step = 0
    private var history: [String] = []
    /// For all seeds together the test wants to know that something happened.
    private(set) var toldCount = 0
    var suppressed: UInt64 { story.suppressed }
    var lost: UInt64 { story.counts.lost }
    var comparisons: UInt64 { story.comparisons }

    init(seed: Int, isLossy: Bool) {
        var random = SeededRandom(seed: seed)
        let world = StoryWorld(loops: 1 + seed % 4, random: &random)
        let wait = random.pick([0, 1_000, 3_000, 3_000])
        let bytesMax = isLossy ? random.int(1...6) * 256 : 64 << 20
        guard let oracle = world.shared.registerConsumer(queueBytesMax: 1 << 30, wake: {}),
            let consumer = world.shared.registerConsumer(queueBytesMax: bytesMax, wake: {})
        else { preconditionFailure("five consumers can register") }
        let kinds = EdgeStory.edgeKinds(for: Self.kinds)
        for app in world.shared.apps { oracle.setInterest(kinds, in: app) }
        (self.world, self.oracle, self.consumer) = (world, oracle, consumer)
        story = EdgeStory(returnMilliseconds: wait)
        reference = StoryReference(wait: wait)
        // Edges that are lost while an app is switched on may make an event of what was there before; so only one of both.
        switchedOn = isLossy ? [0, 0] : [random.pick([0, 0, 300]), random.pick([0, 100, 900])]
        (self.random, self.isLossy) = (random, isLossy)
    }

    private static let kinds = [
        WebhookKind.channelOccupied, .channelVacated, .memberAdded, .memberRemoved, .userOnline, .userOffline,
    ].reduce(into: WebhookKinds()) { $0.formUnion(WebhookKinds($1)) }

    func run(steps: Int) throws {
        for _ in 0..<steps {
            for (app, due) in switchedOn.enumerated() where due.map({ $0 <= step }) ?? false { try switchOn(app) }
            step += 1
            act()
            if random.oneIn(isLossy ? 40 : 6) { try listen() }
            if step % 500 == 0 { try becomeQuiet() }
        }
        try becomeQuiet()
        note("all go")
        for id in world.clients.keys.sorted() { world.close(id) }
        try becomeQuiet()
        guard story.channelsKnown == 0 else { throw fail("\(story.channelsKnown) channels are remembered for nothing") }
        guard !isLossy else { return }
        hear()
        reference.end()
        for subject in Set(told.keys).union(reference.lines.keys) where told[subject] != reference.lines[subject] {
            throw fail("\(subject): told \(told[subject] ?? []), expected \(reference.lines[subject] ?? [])")
        }
        guard story.suppressed == reference.suppressed else {
            throw fail("\(story.suppressed) returns were in time, not \(reference.suppressed)")
        }
    }

    /// An app gets webhooks; what it has now was there before.
    private func switchOn(_ app: Int) throws {
        hear()
        switchedOn[app] = nil
        note("webhooks of app \(app)")
        story.follow(Self.kinds, of: world.shared.apps[app], by: consumer)
        followed.insert(app)
        // The registry says what was there: departures that are not settled count.
        var (walk, slice) = (OccupancyWalk(of: world.shared.apps[app]), OccupancySlice())
        var before = StoryLedger.State()
        var isMore = true
        while isMore {
            isMore = walk.next(into: &slice)
            for channel in slice.channels {
                let name = String(decoding: channel.name, as: UTF8.self)
                if channel.isUser {
                    let user = name.dropFirst("#server-to-user-".count)
                    before.online.insert(.init(app: app, channel: String(user)))
                } else {
                    before.members[.init(app: app, channel: name)] = Set(
                        channel.members.map { String(decoding: $0, as: UTF8.self) })
                }
            }
        }
        ledger.assume(before)
    }

    private var followed: Set<Int> = []

    private func act() {
        let ids = world.clients.keys.sorted()
        switch random.int(0...99) {
        case ..<14: world.open(&random)
        case ..<20 where !ids.isEmpty:
            let id = random.pick(ids)
            note("\(id) closes")
            world.close(id)
        case ..<50 where !ids.isEmpty: world.subscribe(random.pick(ids), &random)
        case ..<62 where !ids.isEmpty: world.unsubscribe(random.pick(ids), &random)
        case ..<66 where !ids.isEmpty: world.signIn(random.pick(ids), &random)
        case ..<82: world.settle(random.int(0...world.brokers.count - 1), limit: random.int(1...3))
        default:
            world.pass(random.oneIn(8) ? UInt64(random.int(1_000...4_000)) : UInt64(random.int(0...300)))
        }
    }

    /// The oracle takes what waits, while it still knows which apps are followed.
    private func hear() {
        oracle.take { edge, _ in
            note("edge \(edge.number) of \(edge.app) at \(edge.milliseconds): \(Self.text(edge))")
            if followed.contains(edge.app) { reference.add(edge) }
        }
    }

    /// What the service does in a turn, or a part of it.
    private func listen() throws {
        hear()
        story.take(from: consumer)
        if !random.oneIn(4) { story.advance(to: world.now) }
        for _ in 0..<random.int(0...3) where story.mustRead {
            note("reads")
            story.read(world.shared)
            // Edges that come between two steps.
            if random.oneIn(3) { act() }
        }
        try tell()
    }

    private func tell() throws {
        var fault: String?
        story.takeReady { one in
            note("told at \(world.now): \(StoryStage.text(one)) (\(one.milliseconds))")
            toldCount += 1
            if let wrong = ledger.add(one), fault == nil { fault = "\(wrong): \(StoryStage.text(one))" }
            let isHere = [.channelOccupied, .memberAdded, .userOnline].contains(one.kind)
            told[Self.subject(of: one), default: []].append(.init(isHere: isHere, milliseconds: one.milliseconds))
        }
        if let fault { throw fail(fault) }
    }

    private static func subject(of one: Happening) -> StoryReference.Subject {
        let channel = String(decoding: one.channel, as: UTF8.self)
        guard case .user(let id) = one.payload else { return .init(app: one.app, channel: channel) }
        let user = String(decoding: id, as: UTF8.self)
        return channel.isEmpty
            ? .init(app: one.app, channel: "#server-to-user-" + user)
            : .init(app: one.app, channel: channel, user: user)
    }

    /// Everything is settled, taken, read and waited for: what was told is true.
    private func becomeQuiet() throws {
        note("quiet")
        for loop in world.brokers.indices { world.settle(loop, limit: .max) }
        // Twice the pause between two comparisons, and the longest wait.
        for _ in 0..<4 {
            hear()
            story.take(from: consumer)
            story.advance(to: world.now)
            while story.mustRead { story.read(world.shared) }
            try tell()
            world.pass(3_000)
        }
        guard story.waiting == 0, story.nextDue == nil else { throw fail("somebody still waits") }
        var truth = world.truth()
        truth.members = truth.members.filter { followed.contains($0.key.app) }
        truth.online = truth.online.filter { followed.contains($0.app) }
        guard ledger.believed == truth else { throw fail("told is \(ledger.believed), true is \(truth)") }
    }

    private func note(_ text: @autoclosure () -> String) {
        history.append("\(step) " + text())
        if history.count > 400 { history.removeFirst(200) }
    }

    private func fail(_ text: String) -> StoryDivergence {
        StoryDivergence(description: "step \(step): \(text)\n  " + history.suffix(80).joined(separator: "\n  "))
    }

    private static func text(_ edge: ChannelEdge) -> String {
        String(decoding: edge.channel, as: UTF8.self) + " "
            + {
                switch edge.change {
                case .memberAdded(let id, _): "added \(String(decoding: id, as: UTF8.self))"
                case .memberRemoved(let id, let leave): "removed \(String(decoding: id, as: UTF8.self)) \(leave)"
                default: "\(edge.change)"
                }
            }()
    }
}
