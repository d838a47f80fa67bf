#if DEBUG
    @testable import BrokerCore
#else
    import BrokerCore
#endif
import PusherProtocol
import TestSupport

/// The random commands: each is given to the broker and to the model.
extension Simulation {
    /// A run of random steps, then silence, then the end of every connection.
    func run(steps: Int, check: (Simulation) throws -> Void) throws {
        if isCrowd { try gatherCrowd() }
        for _ in 0..<steps {
            step += 1
            try randomStep()
            if step % 16 == 0 { try check(self) }
            if step % 400 == 0 {
                try becomeQuiet()
                try check(self)
            }
        }
        try becomeQuiet()
        for id in model.clients.keys.sorted() { closeBoth(id) }
        try becomeQuiet()
        try forgetEverything()
        try check(self)
    }

    private func randomStep() throws {
        switch random.int(0..<100) {
        case ..<8: try open()
        case ..<11: try closeOne()
        case ..<33: try subscribe()
        case ..<41: try unsubscribe()
        case ..<49: try clientEvent()
        case ..<55: try signIn()
        case ..<69: try publish()
        case ..<71: try terminate()
        case ..<75: passTime()
        case ..<77: try tick()
        case ..<82: try settle()
        case ..<84: try saySomethingElse()
        case ..<87: try consumeEdges()
        case ..<88: try replaceSettings()
        default: try deliver(loop: random.int(0..<brokers.count), limit: random.int(1...8))
        }
    }

    /// Brings the crowded channel near its hundredth connection.
    private func gatherCrowd() throws {
        while model.clients.count < clientsMax { try open() }
        for client in model.clients.values.sorted(by: { $0.id < $1.id }).prefix(120) {
            let channel = SimulatedWorld.channels[0]
            model.subscribe(client.id, channel, Model.Credentials())
            try command(on: client.loop) { $0.receive(client.slot, Text.subscribe(channel.name)) }
        }
    }

    private func anyClient() -> Model.Client? {
        guard nextID > 0, !model.clients.isEmpty else { return nil }
        return model.clients[random.pick(model.clients.keys.sorted())]
    }

    private func open() throws {
        guard model.clients.count < clientsMax else { return }
        let loop = random.int(0..<brokers.count)
        let app = isCrowd && !random.oneIn(4) ? 0 : random.int(0...2)
        let isRoom = model.openCount(app: app) < model.settings[app].limits.connectionsMax ?? .max
        guard brokers[loop].acquireConnectionQuota(of: shared.apps[app]) == isRoom else {
            throw fail("the quota of \(app) says \(!isRoom)")
        }
        guard isRoom else { return }
        let slot = freeSlots[loop].popLast() ?? UInt32(clientAt[loop].count)
        let id = nextID
        nextID += 1
        clientAt[loop][slot] = id
        let low = UInt32(truncatingIfNeeded: random.next())
        note("client \(id) opens at \(loop)/\(slot) in app \(app)")
        let shared = shared
        // Its name is known only afterwards, so the answer is expected from inside.
        try command(on: loop) { broker in
            broker.open(slot: slot, app: shared.apps[app], random: low)
            let socket = broker.socketText(slot)
            var client = Model.Client(id: id, loop: loop, slot: slot, app: app, socketID: socket)
            client.tokens = (model.settings[app].limits.clientEventsPerSecondMax ?? 0) * 1_000
            client.tokensAt = model.now
            model.clients[id] = client
            let data = #"{"socket_id":"\#(socket)","activity_timeout":45}"#
            model.answer(
                id, .text(#"{"event":"pusher:connection_established","data":\#(Text.literal(data))}"#))
        }
    }

    /// One app has other settings, in force on all loops from here on.
    private func replaceSettings() throws {
        let app = random.int(0..<model.settings.count)
        SimulatedWorld.vary(&model.settings[app], &random)
        note("app \(app) has other settings")
        signers[app] = Signer(model.settings[app])
        let next = try shared.replaceApps(model.settings)
        for broker in brokers { broker.use(next) }
    }

    private func closeOne() throws {
        guard let client = anyClient() else { return }
        note("client \(client.id) closes")
        closeBoth(client.id)
    }

    private func subscribe() throws {
        guard let client = anyClient() else { return }
        if random.oneIn(12) {
            let user = random.pick(SimulatedWorld.users)
            note("client \(client.id) subscribes to the user channel of \(user)")
            model.subscribeUser(client.id, user)
            return try command(on: client.loop) { $0.receive(client.slot, Text.subscribe(Model.userChannel(user))) }
        }
        if random.oneIn(40) {
            model.refuse(client.id, "bad name", type: "InvalidChannelName", status: 4009, code: nil)
            return try command(on: client.loop) { $0.receive(client.slot, Text.subscribe("bad name")) }
        }
        let isCrowded = isCrowd && client.app == 0 && !random.oneIn(4)
        let channel = isCrowded ? SimulatedWorld.channels[0] : random.pick(SimulatedWorld.channels)
        var credentials = Model.Credentials(isRight: !random.oneIn(10))
        if channel.isPresence, !random.oneIn(4) {
            // Often the same user again, so that repeated subscribes succeed.
            let place = Model.Place(app: client.app, channel: channel.name)
            let same = client.memberships.first { $0.place == place }?.user
            let user = random.oneIn(3) ? nil : same
            credentials.member = (
                user ?? random.pick(SimulatedWorld.users), random.oneIn(3) ? nil : "{\"n\":\(random.int(0...9))}"
            )
        }
        let data = credentials.member.map { member in
            let info = member.info.map { ",\"user_info\":" + $0 } ?? ""
            return "{\"user_id\":\"\(member.user)\"\(info)}"
        }
        let socket = credentials.isRight ? client.socketID : "1.1"
        let auth = channel.isSigned ? signers[client.app].channel(channel.name, socket: socket, data: data) : ""
        note("client \(client.id) subscribes to \(channel.name) \(data ?? "") right=\(credentials.isRight)")
        model.subscribe(client.id, channel, credentials)
        try command(on: client.loop) { $0.receive(client.slot, Text.subscribe(channel.name, auth: auth, data: data)) }
    }

    private func unsubscribe() throws {
        guard let client = anyClient() else { return }
        var name = random.pick(SimulatedWorld.channels).name
        if random.oneIn(10) {
            // Neither a user channel nor a watch can be left this way.
            name = Model.userChannel(random.pick(SimulatedWorld.users))
            if random.oneIn(2) { name = "!" + name }
        } else if let own = client.memberships.filter({ $0.role == .channel }).last, random.oneIn(2) {
            name = own.place.channel
        }
        note("client \(client.id) unsubscribes from \(name)")
        model.unsubscribe(client.id, name)
        try command(on: client.loop) { $0.receive(client.slot, Text.unsubscribe(name)) }
    }

    private func clientEvent() throws {
        guard let client = anyClient() else { return }
        var channel = random.pick(SimulatedWorld.channels)
        let own = SimulatedWorld.channels.filter { known in
            known.takesClientEvents && client.memberships.contains { $0.place.channel == known.name }
        }
        if !own.isEmpty, !random.oneIn(4) { channel = random.pick(own) }
        let data = random.oneIn(60) ? String(repeating: "x", count: 10_241) : "c\(step)"
        note("client \(client.id) sends an event on \(channel.name)")
        model.clientEvent(client.id, "client-e", channel, data: data)
        try command(on: client.loop) {
            $0.receive(client.slot, Text.clientEvent("client-e", channel.name, data: Text.literal(data)))
        }
    }

    private func signIn() throws {
        guard let client = anyClient() else { return }
        let user = client.user.flatMap { random.oneIn(4) ? nil : $0.id } ?? random.pick(SimulatedWorld.users)
        let info = random.oneIn(2) ? nil : "{\"n\":\(random.int(10...19))}"
        let watchlist = Array(SimulatedWorld.users.shuffled(using: &random).prefix(random.int(0...4)))
        let isRight = !random.oneIn(10)
        var userData = "{\"id\":\"\(user)\""
        if let info { userData += ",\"user_info\":" + info }
        if !watchlist.isEmpty { userData += ",\"watchlist\":[\(watchlist.map(Text.literal).joined(separator: ","))]" }
        userData += "}"
        let auth = signers[client.app].user(userData, socket: isRight ? client.socketID : "1.1")
        note("client \(client.id) signs in as \(user), watches \(watchlist), right=\(isRight)")
        model.signIn(client.id, user: user, info: info, watchlist: watchlist, userData: userData, isRight: isRight)
        try command(on: client.loop) { $0.receive(client.slot, Text.signIn(auth: auth, userData: userData)) }
    }

    private func publish() throws {
        let loop = random.int(0..<brokers.count), app = random.int(0...2)
        var targets = SimulatedWorld.channels.shuffled(using: &random).prefix(random.int(1...3)).map { $0 }
        if random.oneIn(4) { targets[0] = .init(name: Model.userChannel(random.pick(SimulatedWorld.users))) }
        var except: String?
        switch random.int(0...5) {
        case 0, 1: except = anyClient()?.socketID
        case 2: except = closedSockets.last
        case 3: except = "123456789.1"
        default: break
        }
        let (name, data) = ("e\(step)", "d \"\(step)\"")
        let body = Array(Text.publish(name, targets.map(\.name), data: data, except: except).utf8)
        let none: [UInt8] = []
        let request = try PublishRequest.parse(body: body.span, query: APIQuery(none.span), limits: PayloadLimits())
        note("loop \(loop) publishes \(name) to \(targets.map(\.name)) of app \(app), except \(except ?? "nobody")")
        let refusal = model.admitPublish(app: app, events: targets.count)
        var got: LoopBroker.PublishRefusal?
        do throws(LoopBroker.PublishRefusal) {
            try brokers[loop].admitPublish(app: shared.apps[app], events: targets.count)
        } catch {
            got = error
        }
        guard got == refusal else { throw fail("publishing should be answered by \(String(describing: refusal))") }
        guard refusal == nil else { return }
        for (index, target) in targets.enumerated() {
            let wanted = model.publish(
                app: app, name, target.name, isCache: target.isCache, data: data, exceptSocket: except)
            var audience: LoopBroker.Audience?
            let shared = shared
            try command(on: loop) {
                audience = $0.publish(app: shared.apps[app], request, channel: index, body: body.span)
            }
            guard audience?.subscriptions == wanted.0, audience?.users == wanted.1 else {
                throw fail("audience \(String(describing: audience)), expected \(wanted)")
            }
        }
    }

    private func terminate() throws {
        let app = random.int(0...2), user = random.pick(SimulatedWorld.users)
        note("\(user) of app \(app) is terminated")
        model.terminate(app: app, user: user)
        let (shared, id) = (shared, Array(user.utf8))
        let isRefused = model.isOverloaded
        var isDone = false
        try command(on: random.int(0..<brokers.count)) {
            isDone = (try? $0.terminateConnections(of: id.span, app: shared.apps[app])) != nil
        }
        guard isDone != isRefused else { throw fail("the termination should be refused: \(isRefused)") }
    }

    private func passTime() {
        model.now += random.oneIn(4) ? random.int(2_000...7_000) : random.int(1...400)
        model.unixSeconds += random.oneIn(10) ? 86_400 : 1
        note("it is \(model.now)")
        setTime()
    }

    private func tick() throws {
        note("tick")
        model.tick()
        for loop in brokers.indices { try command(on: loop, isWhole: loop == brokers.count - 1) { $0.tick() } }
        try release()
    }

    /// What nobody can notice: every table gives back what it can, however small it is.
    private func release() throws {
        for loop in brokers.indices {
            try command(on: loop) { $0.releaseUnused() }
        }
    }

    private func settle() throws {
        let loop = random.int(0..<brokers.count), limit = random.int(1...4)
        note("loop \(loop) settles \(limit)")
        model.settle(loop: loop, limit: limit)
        try command(on: loop) { $0.settleDepartures(limit: limit) }
    }

    private func saySomethingElse() throws {
        guard let client = anyClient() else { return }
        if random.oneIn(5) {
            model.refuse(client.id, "", type: "InvalidChannelName", status: 4009, code: nil)
            return try command(on: client.loop) { $0.receive(client.slot, #"{"event":"pusher:subscribe","data":{}}"#) }
        }
        let (text, answer): (String, Model.Expected?) = random.pick([
            (#"{"event":"pusher:ping","data":{}}"#, .text(#"{"event":"pusher:pong","data":"{}"}"#)),
            (#"{"event":"pusher:pong"}"#, nil), (#"{"event":"pusher:foo"}"#, nil), ("{", .failure(code: nil)),
            (#"{"event":"pusher:unsubscribe","data":{}}"#, .failure(code: nil)),
        ])
        if let answer { model.answer(client.id, answer) }
        try command(on: client.loop) { $0.receive(client.slot, text) }
    }
}

extension SeededRandom {
    mutating func int(_ range: Range<Int>) -> Int { int(range.lowerBound...range.upperBound - 1) }
}
