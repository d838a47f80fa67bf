import BrokerCore
import Crypto
import PusherProtocol
import TestSupport

/// Real loops on one thread, and clients who come, go and come back: what the edges are made of.
final class StoryWorld {
    /// A membership of a connection.
    struct Membership: Hashable {
        var channel: String
        var user: String?
    }

    struct Client {
        var loop: Int
        var slot: UInt32
        var app: Int
        var memberships: Set<Membership> = []
        var user: String?
    }

    static let channels = ["open-a", "open-b", "presence-a", "presence-b"]
    static let users = ["u0", "u1", "u2", "u\"3\""]

    let shared: SharedBroker
    let brokers: [LoopBroker]
    private(set) var clients: [Int: Client] = [:]
    private(set) var now: UInt64 = 1_000_000
    private var freeSlots: [[UInt32]]
    private var slotsMade: [UInt32]
    private var nextID = 0

    init(loops: Int, random: inout SeededRandom) {
        let apps = ["a", "b"].map { id in
            var app = AppSettings(id: id, keys: [.init(key: "key-\(id)", secret: "secret-\(id)")])
            app.clientEventsEnabled = true
            app.limits.clientEventsPerSecondMax = nil
            return app
        }
        let secrets = BrokerSecrets(
            names: SecretKey(random.next(), random.next()), socketIDs: SecretKey(random.next(), random.next()))
        let shared = SharedBroker(settings: apps, loopCount: loops, secrets: secrets, headroomBytes: 0)
        self.shared = shared
        brokers = (0..<loops).map { LoopBroker(shared: shared, loop: $0) }
        freeSlots = Array(repeating: [], count: loops)
        slotsMade = Array(repeating: 0, count: loops)
        pass(0)
    }

    func pass(_ milliseconds: UInt64) {
        now += milliseconds
        for broker in brokers {
            broker.setTime(BrokerTime(milliseconds: now, unixSeconds: Int(now / 1_000)))
        }
    }

    // MARK: Commands

    func open(_ random: inout SeededRandom) {
        guard clients.count < 16 else { return }
        let (loop, app) = (random.int(0...brokers.count - 1), random.int(0...1))
        let slot = freeSlots[loop].popLast() ?? slotsMade[loop]
        if slot == slotsMade[loop] { slotsMade[loop] += 1 }
        guard brokers[loop].acquireConnectionQuota(of: shared.apps[app]) else { return }
        brokers[loop].open(slot: slot, app: shared.apps[app], random: UInt32(truncatingIfNeeded: random.next()))
        clients[nextID] = Client(loop: loop, slot: slot, app: app)
        nextID += 1
        finish(loop)
    }

    /// A client of the first app, on the first loop, who subscribes to one channel.
    func come(_ channel: String, _ user: String?) -> Int {
        let slot = freeSlots[0].popLast() ?? slotsMade[0]
        if slot == slotsMade[0] { slotsMade[0] += 1 }
        _ = brokers[0].acquireConnectionQuota(of: shared.apps[0])
        brokers[0].open(slot: slot, app: shared.apps[0], random: 7)
        let id = nextID
        nextID += 1
        clients[id] = Client(loop: 0, slot: slot, app: 0)
        finish(0)
        subscribe(id, to: channel, user)
        return id
    }

    func close(_ id: Int) {
        guard let client = clients.removeValue(forKey: id) else { return }
        brokers[client.loop].close(slot: client.slot)
        freeSlots[client.loop].append(client.slot)
    }

    /// A slice of what closed connections left behind.
    func settle(_ loop: Int, limit: Int) {
        brokers[loop].settleDepartures(limit: limit)
        finish(loop)
    }

    func subscribe(_ id: Int, _ random: inout SeededRandom) {
        guard let client = clients[id] else { return }
        let channel = random.pick(Self.channels)
        guard !client.memberships.contains(where: { $0.channel == channel }) else { return }
        subscribe(id, to: channel, channel.hasPrefix("presence-") ? random.pick(Self.users) : nil)
    }

    private func subscribe(_ id: Int, to channel: String, _ user: String?) {
        guard let client = clients[id] else { return }
        let data = user.map { "{\"user_id\":\(Self.literal($0))}" }
        let auth = data.map { sign(client, ":\(channel):\($0)") } ?? ""
        let member = data.map { ",\"channel_data\":" + Self.literal($0) } ?? ""
        say(client, #"{"event":"pusher:subscribe","data":{"auth":"\#(auth)","channel":"\#(channel)"\#(member)}}"#)
        clients[id]?.memberships.insert(Membership(channel: channel, user: user))
    }

    func unsubscribe(_ id: Int, _ random: inout SeededRandom) {
        guard let client = clients[id], let left = client.memberships.sorted(by: { $0.channel < $1.channel }).first
        else { return }
        let channel = random.oneIn(3) ? random.pick(Self.channels) : left.channel
        say(client, #"{"event":"pusher:unsubscribe","data":{"channel":"\#(channel)"}}"#)
        clients[id]?.memberships = client.memberships.filter { $0.channel != channel }
    }

    func signIn(_ id: Int, _ random: inout SeededRandom) {
        guard let client = clients[id], client.user == nil else { return }
        let user = random.pick(Self.users)
        let data = "{\"id\":\(Self.literal(user))}"
        let auth = sign(client, "::user::" + data)
        say(client, #"{"event":"pusher:signin","data":{"auth":"\#(auth)","user_data":\#(Self.literal(data))}}"#)
        clients[id]?.user = user
    }

    private func say(_ client: Client, _ text: String) {
        let bytes = Array(text.utf8)
        brokers[client.loop].receive(slot: client.slot, message: bytes.span)
        finish(client.loop)
    }

    private func sign(_ client: Client, _ text: String) -> String {
        let key = shared.apps[client.app].keys[0]
        var signed: [UInt8] = []
        brokers[client.loop].socketID(of: client.slot).append(to: &signed)
        signed += Array(text.utf8)
        var out = key.key + [UInt8(ascii: ":")]
        key.secret.sign(signed.span).appendHex(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func literal(_ text: String) -> String {
        var out = "\""
        for character in text {
            if character == "\"" || character == "\\" { out.append("\\") }
            out.append(character)
        }
        return out + "\""
    }

    /// Nobody looks at what clients hear.
    private func finish(_ loop: Int) {
        _ = brokers[loop].takeWakes()
        brokers[loop].effects.clear()
        for broker in brokers { while broker.nextDelivery() != nil {} }
    }

    // MARK: The truth

    /// Who is where, when nothing is on its way.
    func truth() -> StoryLedger.State {
        var state = StoryLedger.State()
        for client in clients.values {
            for membership in client.memberships {
                let place = StoryLedger.Place(app: client.app, channel: membership.channel)
                state.members[place, default: []].formUnion(membership.user.map { [$0] } ?? [])
            }
            if let user = client.user { state.online.insert(StoryLedger.Place(app: client.app, channel: user)) }
        }
        return state
    }
}
