import BrokerCore
import PusherProtocol

/// A connection at the fixture.
struct Peer: Hashable {
    var loop: Int
    var slot: UInt32
}

/// A broker with one app and what each of its connections heard, for tests of single rules.
final class BrokerFixture {
    let shared: SharedBroker
    let brokers: [LoopBroker]
    private(set) var signer: Signer
    private var settings: AppSettings
    private(set) var closed: [Peer: PusherErrorCode] = [:]
    private var frames: [Peer: [String]] = [:]
    private var slots: [UInt32]
    private var milliseconds: UInt64 = 1_000_000

    /// - Parameter queueBytesMax: above it a loop is so far behind that it counts as full.
    init(loops: Int = 1, queueBytesMax: Int = 64 << 20, _ change: (inout AppSettings) -> Void = { _ in }) {
        var settings = AppSettings(id: "1", keys: [.init(key: "key", secret: "secret")])
        settings.clientEventsEnabled = true
        change(&settings)
        let shared = SharedBroker(
            settings: [settings], loopCount: loops, seed: 42, queueBytesMax: queueBytesMax)
        self.shared = shared
        brokers = (0..<loops).map { LoopBroker(shared: shared, loop: $0) }
        (signer, self.settings) = (Signer(settings), settings)
        slots = Array(repeating: 0, count: loops)
        pass(milliseconds: 0)
    }

    var app: App { shared.apps[0] }

    /// Puts other settings of the app in force on all loops.
    func replace(_ change: (inout AppSettings) -> Void) throws {
        change(&settings)
        signer = Signer(settings)
        let next = try shared.replaceApps([settings])
        for broker in brokers { broker.use(next) }
    }

    func pass(milliseconds more: UInt64) {
        milliseconds += more
        for broker in brokers {
            broker.setTime(BrokerTime(milliseconds: milliseconds, unixSeconds: Int(milliseconds / 1_000)))
        }
    }

    /// Opens a connection and forgets its greeting.
    func connect(loop: Int = 0) -> Peer {
        let peer = Peer(loop: loop, slot: slots[loop])
        slots[loop] += 1
        _ = brokers[loop].acquireConnectionQuota(of: app)
        brokers[loop].open(slot: peer.slot, app: app, random: 7 + peer.slot)
        applyEffects()
        frames[peer] = []
        return peer
    }

    func hangUp(_ peer: Peer) {
        brokers[peer.loop].close(slot: peer.slot)
        brokers[peer.loop].settleDepartures(limit: .max)
        applyEffects()
    }

    func socket(_ peer: Peer) -> String { brokers[peer.loop].socketText(peer.slot) }

    /// Says something and returns all it heard since it was last asked.
    @discardableResult func say(_ peer: Peer, _ text: String) -> [String] {
        brokers[peer.loop].receive(peer.slot, text)
        applyEffects()
        return hear(peer)
    }

    /// Subscribes with a right signature, if the channel wants one.
    @discardableResult func subscribe(_ peer: Peer, _ channel: String, data: String? = nil) -> [String] {
        let isSigned = channel.hasPrefix("private-") || channel.hasPrefix("presence-")
        let auth = isSigned ? signer.channel(channel, socket: socket(peer), data: data) : ""
        return say(peer, Text.subscribe(channel, auth: auth, data: data))
    }

    @discardableResult func signIn(_ peer: Peer, _ userData: String) -> [String] {
        say(peer, Text.signIn(auth: signer.user(userData, socket: socket(peer)), userData: userData))
    }

    func publish(_ name: String, _ channels: [String], data: String = "d", except: String? = nil) throws {
        try postOnly(name, channels, data: data, except: except)
        applyEffects()
    }

    /// Publishes, and leaves the deliveries in the loops' queues.
    func postOnly(_ name: String, _ channels: [String], data: String = "d", except: String? = nil) throws {
        let body = Array(Text.publish(name, channels, data: data, except: except).utf8)
        let none: [UInt8] = []
        let request = try PublishRequest.parse(body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
        for index in channels.indices { brokers[0].publish(app: app, request, channel: index, body: body.span) }
    }

    func terminate(_ user: String) throws(APIError) {
        let id = Array(user.utf8)
        do throws(LoopBroker.PublishRefusal) { try brokers[0].terminateConnections(of: id.span, app: app) } catch {
            throw error.answer
        }
        applyEffects()
    }

    func tick() {
        for broker in brokers {
            broker.tick()
            while broker.isSweeping { broker.sweep() }
        }
        applyEffects()
    }

    /// What a connection heard since it was last asked.
    func hear(_ peer: Peer) -> [String] {
        defer { frames[peer] = [] }
        return frames[peer] ?? []
    }

    func roster(_ channel: String) -> Set<String> {
        let name = Array(channel.utf8)
        return Set(brokers[0].users(of: name.span, app: app).map { String(decoding: $0, as: UTF8.self) })
    }

    /// Carries out effects and deliveries until all is quiet.
    func applyEffects() {
        repeat {
            for broker in brokers {
                write(broker)
                while let delivery = broker.nextDelivery() {
                    for slot in delivery.recipients where slot != delivery.except {
                        let text = Text.of(delivery.message.json)
                        frames[Peer(loop: broker.loop, slot: slot), default: []].append(text)
                    }
                }
                write(broker)
            }
        } while brokers.contains(where: \.hasWork)
    }

    private func write(_ broker: LoopBroker) {
        let (actions, bytes) = (broker.effects.actions, broker.effects.bytes)
        broker.effects.clear()
        for action in actions {
            switch action {
            case .frame(let slot, let range):
                let text = Text.of(bytes[range])
                frames[Peer(loop: broker.loop, slot: slot), default: []].append(text)
            case .close(let slot, let reason):
                closed[Peer(loop: broker.loop, slot: slot)] = reason
                broker.close(slot: slot)
                broker.settleDepartures(limit: .max)
            }
        }
    }

    /// A frame without the words for people: `error 4301`, `refused LimitReached 4100`, or the frame itself.
    static func gist(_ frame: String) -> String {
        if frame.hasPrefix(#"{"event":"pusher:error""#) {
            return "error " + (Text.between(#""code":"#, ",", in: frame) ?? "?")
        }
        guard frame.hasPrefix(#"{"event":"pusher:subscription_error""#) else { return frame }
        let type = Text.between(#""type":""#, "\"", in: frame) ?? "?"
        return "refused \(type) " + (Text.between(#","status":"#, "}", in: frame) ?? "?")
    }
}
