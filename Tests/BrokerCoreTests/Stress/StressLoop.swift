#if DEBUG
    @testable import BrokerCore
#else
    import BrokerCore
#endif
import PusherProtocol
import TestSupport

/// A client of the stress test and what it heard.
struct StressClient {
    var app: Int
    /// Subscribed channels: the events heard since, a replayed one first.
    var events: [String: [String]] = [:]
    var rosters: [String: Set<String>] = [:]
    var user: String?
    /// Watched users: the last status told.
    var online: [String: Bool] = [:]
    /// It hears everything from the beginning to the end.
    var isWitness = false
}

/// One loop of the stress test. Used on one thread at a time.
final class StressLoop {
    static let events = ["open-a", "cache-a", "presence-a", "presence-cache-a"]
    static let users = ["u0", "u1", "u2"]

    let broker: LoopBroker
    var clients: [UInt32: StressClient] = [:]
    /// What ended subscriptions heard.
    var histories: [(app: Int, channel: String, events: [String])] = []
    var fault: String?
    private(set) var settingsTaken = 0
    private var random: SeededRandom
    private let signers: [Signer]
    private var freeSlots: [UInt32] = []
    private var published = 0
    private var milliseconds: UInt64 = 1_000_000

    init(shared: SharedBroker, loop: Int, seed: Int) {
        broker = LoopBroker(shared: shared, loop: loop)
        random = SeededRandom(seed: seed * 64 + loop)
        signers = shared.apps.map { Signer($0.keys[0]) }
        // Loops do not agree on the time to the millisecond.
        milliseconds += UInt64(loop * 3)
        #if DEBUG
            broker.slices = Slices(terminations: 2, changes: 2)
        #endif
        setTime()
    }

    private func setTime() { broker.setTime(BrokerTime(milliseconds: milliseconds, unixSeconds: 1_700_000_000)) }

    // MARK: Commands

    func run(steps: Int) {
        for _ in 0..<steps where fault == nil {
            milliseconds += 1
            setTime()
            takeSettings()
            step()
            applyEffects()
            if random.oneIn(2) { deliver(limit: random.int(1...10)) }
        }
    }

    /// As a loop does between two turns; not all loops at the same time.
    private func takeSettings() {
        let newest = broker.shared.directory
        guard newest !== broker.directory, random.oneIn(2) else { return }
        broker.use(newest)
        settingsTaken += 1
    }

    private func step() {
        let slot = clients.filter { !$0.value.isWitness }.keys.sorted().randomElement(using: &random)
        switch (random.int(0..<20), slot) {
        case (0...1, _) where clients.count < 12: open(app: random.int(0...1))
        case (2, let slot?): close(slot)
        case (3...7, let slot?): subscribe(slot, random.pick(Self.events))
        case (8...10, let slot?): unsubscribe(slot, random.pick(Self.events))
        case (11, let slot?): signIn(slot)
        case (12, let slot?):
            broker.receive(slot, Text.clientEvent("client-e", "presence-a", data: "1"))
        case (13, _) where random.oneIn(4):
            let user = Array(random.pick(Self.users).utf8)
            try? broker.terminateConnections(of: user.span, app: broker.shared.apps[random.int(0...1)])
        case (14, _):
            broker.tick()
            release()
        case (15, _): broker.settleDepartures(limit: random.int(1...5))
        default: publish()
        }
    }

    /// Nobody may notice that a table gave back what it could.
    private func release() {
        broker.releaseUnused()
    }

    @discardableResult func open(app: Int, isWitness: Bool = false) -> UInt32 {
        let slot = freeSlots.popLast() ?? UInt32(clients.count)
        _ = broker.acquireConnectionQuota(of: broker.shared.apps[app])
        broker.open(slot: slot, app: broker.shared.apps[app], random: UInt32(truncatingIfNeeded: random.next()))
        clients[slot] = StressClient(app: app, isWitness: isWitness)
        return slot
    }

    func close(_ slot: UInt32) {
        guard let client = clients.removeValue(forKey: slot) else { return }
        broker.close(slot: slot)
        for (channel, events) in client.events { histories.append((client.app, channel, events)) }
        freeSlots.append(slot)
    }

    func subscribe(_ slot: UInt32, _ channel: String) {
        guard let client = clients[slot] else { return }
        var data: String?
        if channel.hasPrefix("presence-"), client.events[channel] == nil {
            data = "{\"user_id\":\"\(random.pick(Self.users))\"}"
        } else if client.events[channel] != nil {
            return
        }
        let isSigned = data != nil
        let auth = isSigned ? signers[client.app].channel(channel, socket: broker.socketText(slot), data: data) : ""
        broker.receive(slot, Text.subscribe(channel, auth: auth, data: data))
    }

    private func unsubscribe(_ slot: UInt32, _ channel: String) {
        broker.receive(slot, Text.unsubscribe(channel))
        guard let client = clients[slot], let heard = client.events[channel] else { return }
        histories.append((client.app, channel, heard))
        clients[slot]?.events[channel] = nil
        clients[slot]?.rosters[channel] = nil
    }

    private func signIn(_ slot: UInt32) {
        guard let client = clients[slot] else { return }
        let user = client.user ?? random.pick(Self.users)
        let watched = Self.users.shuffled(using: &random).prefix(2).map(Text.literal).joined(separator: ",")
        let data = "{\"id\":\"\(user)\",\"watchlist\":[\(watched)]}"
        clients[slot]?.user = user
        clients[slot]?.online = [:]
        let auth = signers[client.app].user(data, socket: broker.socketText(slot))
        broker.receive(slot, Text.signIn(auth: auth, userData: data))
    }

    private func publish() {
        published += 1
        let name = "e\(broker.loop)-\(published)"
        let channels = Self.events.shuffled(using: &random).prefix(random.int(1...3)).map { $0 }
        let body = Array(Text.publish(name, channels, data: "d").utf8)
        let none: [UInt8] = []
        guard
            let request = try? PublishRequest.parse(
                body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
        else { return fault = "the publish is well formed" }
        let app = broker.shared.apps[random.int(0...1)]
        guard (try? broker.admitPublish(app: app, events: channels.count)) != nil else { return }
        for index in channels.indices { broker.publish(app: app, request, channel: index, body: body.span) }
    }

    // MARK: What comes out

    func applyEffects() {
        let (actions, bytes) = (broker.effects.actions, broker.effects.bytes)
        broker.effects.clear()
        for case .frame(let slot, let range) in actions { hear(Text.of(bytes[range]), slot) }
        for case .close(let slot, _) in actions { close(slot) }
    }

    func deliver(limit: Int) {
        for _ in 0..<limit {
            guard let delivery = broker.nextDelivery() else { break }
            let text = Text.of(delivery.message.json)
            for slot in delivery.recipients where slot != delivery.except { hear(text, slot) }
        }
        applyEffects()
    }

    private func hear(_ text: String, _ slot: UInt32) {
        guard clients[slot] != nil else { return fault = "a frame for the free slot \(slot): \(text)" }
        let event = Text.between(#"{"event":""#, "\"", in: text) ?? ""
        if event == "pusher_internal:watchlist_events" { return hearStatus(text, slot) }
        let channel = Simulation.key(of: text)
        let isKnown = clients[slot]?.events[channel] != nil
        switch event {
        case "pusher_internal:subscription_succeeded":
            if isKnown { fault = "slot \(slot) is in \(channel) twice" }
            clients[slot]?.events[channel] = []
            if let members = Simulation.snapshot(text, of: channel) {
                clients[slot]?.rosters[channel] = Set(members.keys)
            }
        case "pusher_internal:member_added", "pusher_internal:member_removed":
            let user = Text.between(#"\"user_id\":\""#, #"\""#, in: text) ?? "?"
            let isNew = event.hasSuffix("added")
            guard clients[slot]?.rosters[channel]?.contains(user) == !isNew else {
                return fault = "\(text) for slot \(slot), which believes \(String(describing: clients[slot]?.rosters))"
            }
            if isNew {
                clients[slot]?.rosters[channel]?.insert(user)
            } else {
                clients[slot]?.rosters[channel]?.remove(user)
            }
        default:
            guard event.hasPrefix("e") else { return }
            guard isKnown else { return fault = "slot \(slot) is not in the channel of \(text)" }
            clients[slot]?.events[channel]?.append(event)
        }
    }

    private func hearStatus(_ text: String, _ slot: UInt32) {
        for (name, isOnline) in [("online", true), ("offline", false)] {
            guard let ids = Text.between(#"\"name\":\"\#(name)\",\"user_ids\":["#, "]", in: text) else { continue }
            for user in ids.split(separator: ",") {
                let user = user.filter { $0 != "\\" && $0 != "\"" }
                if clients[slot]?.online[user] == isOnline { fault = "slot \(slot) is told twice: \(text)" }
                clients[slot]?.online[user] = isOnline
            }
        }
    }
}
