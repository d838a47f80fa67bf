#if DEBUG
    @testable import BrokerCore
#else
    import BrokerCore
#endif
import PusherProtocol
import TestSupport

/// The broker or the model is wrong: where, and what led there.
struct Divergence: Error, CustomStringConvertible {
    var description: String
}

/// Several loops on one thread, many clients, random commands; after each the model says what must have happened.
///
/// Deliveries are taken in random amounts from random loops, so every interleaving that real threads could produce between
/// two commands comes up. A client accepts a frame only if it is the next one the model owes it on that channel.
final class Simulation {
    let shared: SharedBroker
    let brokers: [LoopBroker]
    var signers: [Signer]
    var model: Model
    var consumers: EdgeConsumersUnderTest
    var random: SeededRandom
    let clientsMax: Int
    let queueBytesMax: Int
    /// Most subscribes name one public channel, so that it passes the hundred connections of PW-181.
    let isCrowd: Bool

    var freeSlots: [[UInt32]]
    var clientAt: [[UInt32: Int]]
    var closedSockets: [String] = []
    var nextID = 0
    var step = 0
    /// Edges of this command, on the loops that had their part of it.
    var edges: [Model.Place: [String]] = [:]
    private var history: [String] = []
    private var wasEmpty: [Bool] = []

    /// - Parameter isTight: every queue is full as soon as a few deliveries wait.
    init(seed: Int, isTight: Bool = false) {
        random = SeededRandom(seed: seed)
        isCrowd = seed % 8 == 7
        let loops = 1 + seed % 4
        clientsMax = isCrowd ? 150 : random.int(3...24)
        queueBytesMax = isTight ? random.int(0...6) * 512 : 64 << 20
        shared = SharedBroker(
            settings: SimulatedWorld.apps, loopCount: loops, seed: random.next(), queueBytesMax: queueBytesMax)
        consumers = EdgeConsumersUnderTest(shared: shared, random: &random)
        let shared = shared
        brokers = (0..<loops).map { LoopBroker(shared: shared, loop: $0) }
        signers = SimulatedWorld.apps.map(Signer.init)
        model = Model(settings: SimulatedWorld.apps, loops: loops)
        model.isTight = isTight
        model.isFull = { [queueBytesMax] loop in shared.queuedBytes(of: loop) > queueBytesMax }
        #if DEBUG
            for broker in brokers { broker.slices = Slices(terminations: 2, changes: 2) }
        #endif
        freeSlots = Array(repeating: [], count: loops)
        clientAt = Array(repeating: [:], count: loops)
        setTime()
    }

    func fail(_ text: String) -> Divergence {
        Divergence(description: "step \(step): \(text)\n  " + history.suffix(60).joined(separator: "\n  "))
    }

    func note(_ text: @autoclosure () -> String) {
        history.append("\(step) " + text())
        if history.count > 400 { history.removeFirst(200) }
    }

    func setTime() {
        for broker in brokers {
            broker.setTime(BrokerTime(milliseconds: UInt64(model.now), unixSeconds: model.unixSeconds))
        }
    }

    // MARK: Carrying out

    /// Runs one command on a loop and compares its answers, its edges and the loops it wakes with the model's.
    /// - Parameter isWhole: it leads to all that the model says; false when other loops have their part of it.
    func command(on loop: Int, isWhole: Bool = true, _ body: (LoopBroker) -> Void) throws {
        wasEmpty = (0..<shared.loopCount).map { shared.isQueueEmpty(of: $0) }
        body(brokers[loop])
        var got: [(slot: UInt32, text: String)] = []
        for action in brokers[loop].effects.actions {
            guard case .frame(let slot, let range) = action else { throw fail("a command closed a connection") }
            got.append((slot, Text.of(brokers[loop].effects.bytes[range])))
        }
        let wakes = brokers[loop].takeWakes()
        for other in 0..<shared.loopCount
        where other != loop && wasEmpty[other] && !shared.isQueueEmpty(of: other) {
            guard wakes & 1 << UInt64(other) != 0 else { throw fail("loop \(other) got a delivery and no wake") }
        }
        brokers[loop].effects.clear()
        try checkEdges(areAll: isWhole)
        let wanted = model.answers
        model.answers = []
        try checkQueues()
        guard got.count == wanted.count else { throw fail("answers \(got.map(\.text)), expected \(wanted)") }
        for (frame, answer) in zip(got, wanted) {
            guard clientAt[loop][frame.slot] == answer.client, matches(frame.text, answer.frame, of: answer.client)
            else {
                throw fail("answer \(frame), expected \(answer)")
            }
            believe(frame.text, answer.frame, client: answer.client)
        }
    }

    /// Takes up to `limit` deliveries of a loop.
    func deliver(loop: Int, limit: Int) throws {
        for _ in 0..<limit {
            let delivery = brokers[loop].nextDelivery()
            if let delivery {
                let text = Text.of(delivery.message.json)
                let key = Self.key(of: text)
                var seen: Set<UInt32> = []
                for slot in delivery.recipients where slot != delivery.except {
                    guard seen.insert(slot).inserted else { throw fail("slot \(slot) twice in one delivery") }
                    guard let id = clientAt[loop][slot] else { throw fail("delivery to the free slot \(slot)") }
                    try receive(text, key: key, client: id)
                }
            }
            try carryOutTerminations(loop)
            try checkQueues()
            if delivery == nil { return }
        }
    }

    /// However much happens, what waits is bounded: by the limit, one publish, and one delivery for each channel that is behind.
    private func checkQueues() throws {
        for loop in brokers.indices where shared.queuedBytes(of: loop) > queueBytesMax + 64 * 512 {
            throw fail("\(shared.queuedBytes(of: loop)) bytes wait for loop \(loop)")
        }
    }

    private func receive(_ text: String, key: String, client id: Int) throws {
        if model.isTight, try receiveLate(text, key: key, client: id) { return }
        guard let next = model.clients[id]?.inbox[key]?.first else {
            throw fail("client \(id) got \(text), but is owed nothing on \(key)")
        }
        guard matches(text, next, of: id) else { throw fail("client \(id) got \(text), expected \(next)") }
        model.clients[id]?.inbox[key]?.removeFirst()
        believe(text, next, client: id)
    }

    private func carryOutTerminations(_ loop: Int) throws {
        let actions = brokers[loop].effects.actions
        for action in actions {
            switch action {
            case .frame(let slot, let range):
                guard let id = clientAt[loop][slot], let client = model.clients[id], client.terminations > 0 else {
                    throw fail("slot \(slot) was terminated and should not be")
                }
                guard matches(Text.of(brokers[loop].effects.bytes[range]), .failure(code: 4009)) else {
                    throw fail("a termination says 4009")
                }
            case .close(let slot, let reason):
                guard reason == .unauthorized else { throw fail("a termination closes with 4009") }
                // Twice terminated and taken at once: the second finds it closed.
                guard let id = clientAt[loop][slot] else { continue }
                note("terminated client \(id)")
                closeBoth(id)
            }
        }
        brokers[loop].effects.clear()
    }

    func closeBoth(_ id: Int) {
        guard let client = model.clients[id] else { return }
        brokers[client.loop].close(slot: client.slot)
        clientAt[client.loop][client.slot] = nil
        freeSlots[client.loop].append(client.slot)
        closedSockets.append(client.socketID)
        model.close(id)
    }

    // MARK: Frames

    /// The channel of a frame as the inbox calls it.
    static func key(of text: String) -> String {
        if text.hasPrefix(#"{"event":"pusher_internal:watchlist_events""#) {
            return Model.watchKey(Text.between(#"user_ids\":[\""#, #"\""#, in: text) ?? "?")
        }
        return Text.between(#","channel":""#, "\"", in: text) ?? "?"
    }

    func matches(_ text: String, _ expected: Model.Expected, of client: Int? = nil) -> Bool {
        switch expected {
        case .text(let wanted): return text == wanted
        case .failure(let code):
            let code = code.map(String.init) ?? "null"
            return text.hasPrefix(#"{"event":"pusher:error","data":{"code":\#(code),"message":""#)
        case .refusal(let channel, let type, let status):
            return text.hasPrefix(
                #"{"event":"pusher:subscription_error","channel":"\#(channel)","data":{"type":"\#(type)","error":""#)
                && text.hasSuffix(#","status":\#(status)}}"#)
        case .snapshot(let channel, let members):
            guard model.isTight else { return Self.snapshot(text, of: channel) == members }
            // What the loop's other subscribers hold, and itself.
            let own = client.flatMap { model.clients[$0]?.memberships.first { $0.place.channel == channel }?.user }
            guard let own, let got = Self.snapshot(text, of: channel) else { return false }
            return got[own] != nil && got[own] == members[own]
        case .statuses(let online, let offline):
            guard model.isTight else { return text == Text.watchlist(online: online, offline: offline) }
            guard text.hasPrefix(#"{"event":"pusher_internal:watchlist_events""#) else { return false }
            return Self.statuses(text).map(\.user).sorted() == (online + offline).sorted()
        }
    }

    /// The members of a presence channel's `subscription_succeeded`; nil if it is not one, or contradicts itself.
    static func snapshot(_ text: String, of channel: String) -> [String: String]? {
        let head =
            #"{"event":"pusher_internal:subscription_succeeded","channel":"\#(channel)","data":"{\"presence\":{\"count\":"#
        guard text.hasPrefix(head), let count = Text.between(#"\"count\":"#, ",", in: text),
            let ids = Text.between(#"\"ids\":["#, "]", in: text),
            let hash = Text.between(#"\"hash\":{"#, #"}}}"}"#, in: text)
        else { return nil }
        var members: [String: String] = [:]
        for entry in hash.split(separator: ",") {
            guard let colon = entry.firstIndex(of: ":") else { return nil }
            let user = entry[..<colon].filter { $0 != "\\" && $0 != "\"" }
            members[user] = entry[entry.index(after: colon)...].filter { $0 != "\\" }
        }
        let listed = ids.split(separator: ",").map { $0.filter { $0 != "\\" && $0 != "\"" } }
        guard listed.count == members.count, Set(listed) == Set(members.keys), String(members.count) == count else {
            return nil
        }
        return members
    }

    /// Applies a frame to the roster that a client library would hold.
    private func believe(_ text: String, _ expected: Model.Expected, client id: Int) {
        if case .snapshot(let channel, _) = expected {
            model.clients[id]?.believed[channel] = Self.snapshot(text, of: channel)
            return
        }
        if case .statuses = expected {
            model.clients[id]?.online = Dictionary(
                uniqueKeysWithValues: Self.statuses(text).map { ($0.user, $0.isOnline) })
            return
        }
        if let change = Self.memberChange(text) { believe(change, Self.key(of: text), client: id) }
    }

    private func believe(_ change: (user: String, info: String?), _ channel: String, client id: Int) {
        model.clients[id]?.believed[channel]?[change.user] = change.info
    }

    /// Takes a frame that may come late; it must make sense after what the client got before.
    /// - Returns: false for any other frame.
    private func receiveLate(_ text: String, key: String, client id: Int) throws -> Bool {
        if let count = Text.between(#"\"subscription_count\":"#, "}", in: text).flatMap({ Int($0) }) {
            guard model.clients[id]?.inbox[key] != nil else { throw fail("client \(id) is not in \(key), got \(text)") }
            model.clients[id]?.counted[key] = count
            return true
        }
        if text.hasPrefix(#"{"event":"pusher_internal:watchlist_events""#) {
            for (user, isOnline) in Self.statuses(text) {
                guard model.clients[id]?.online[user] == !isOnline else { throw fail("client \(id) got \(text) again") }
                model.clients[id]?.online[user] = isOnline
            }
            return true
        }
        guard let change = Self.memberChange(text) else { return false }
        guard let believed = model.clients[id]?.believed[key], (believed[change.user] == nil) == (change.info != nil)
        else { throw fail("client \(id) got \(text), and believes \(String(describing: model.clients[id]?.believed))") }
        let own = model.clients[id]?.memberships.first { $0.place.channel == key }?.user
        guard change.user != own else { throw fail("client \(id) got \(text) about itself") }
        believe(change, key, client: id)
        return true
    }

    /// The users of a watchlist frame.
    static func statuses(_ text: String) -> [(user: String, isOnline: Bool)] {
        [("online", true), ("offline", false)].flatMap { name, isOnline in
            let ids = Text.between(#"\"name\":\"\#(name)\",\"user_ids\":["#, "]", in: text) ?? ""
            return ids.split(separator: ",").map { ($0.filter { $0 != "\\" && $0 != "\"" }, isOnline) }
        }
    }

    /// Who came, with its `user_info`, or left (nil); nil for other frames.
    static func memberChange(_ text: String) -> (user: String, info: String?)? {
        let isJoin = text.hasPrefix(#"{"event":"pusher_internal:member_added""#)
        guard isJoin || text.hasPrefix(#"{"event":"pusher_internal:member_removed""#),
            let user = Text.between(#"\"user_id\":\""#, #"\""#, in: text)
        else { return nil }
        let info = Text.between(#"\"user_info\":"#, #"}"}"#, in: text)?.filter { $0 != "\\" }
        return (user, isJoin ? info ?? "null" : nil)
    }
}
