@testable import BrokerCore
import PusherProtocol
import Synchronization
import Testing

/// How often a consumer was woken.
private final class WakeCount: Sendable {
    let count = Atomic<Int>(0)
}

/// What consumers of edges are told, and when it is too much for them.
@Suite("Edges of channels") struct EdgeTests {
    /// A fixture and a consumer of everything.
    private final class Listener {
        let fixture: BrokerFixture
        let consumer: EdgeConsumer
        private(set) var lost: UInt64 = 0

        init(_ fixture: BrokerFixture, bytesMax: Int = 1 << 20, _ kinds: [ChannelEdge.Kind] = ChannelEdge.Kind.allCases)
            throws
        {
            self.fixture = fixture
            let consumer = fixture.shared.registerConsumer(queueBytesMax: bytesMax, wake: {})
            self.consumer = try #require(consumer)
            self.consumer.setInterest(Set(kinds), in: fixture.app)
        }

        func take() -> [ChannelEdge] {
            var edges: [ChannelEdge] = []
            lost += consumer.take { edge, missing in
                lost += missing
                edges.append(edge)
            }
            return edges
        }

        func changes() -> [ChannelEdge.Change] { take().map(\.change) }
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func aPresenceChannelIsOccupiedBeforeItsMemberAndVacatedAfterIt() throws {
        let listener = try Listener(BrokerFixture(loops: 2))
        let fixture = listener.fixture
        let (first, second) = (fixture.connect(), fixture.connect(loop: 1))
        fixture.subscribe(first, "presence-a", data: #"{"user_id":"u1","user_info":{"n":1}}"#)
        fixture.subscribe(second, "presence-a", data: #"{"user_id":"u1"}"#)
        #expect(listener.changes() == [.occupied, .memberAdded(userID: bytes("u1"), userInfo: bytes(#"{"n":1}"#))])
        fixture.say(first, Text.unsubscribe("presence-a"))
        #expect(listener.changes().isEmpty)
        fixture.hangUp(second)
        let end = listener.take()
        #expect(end.map(\.change) == [.memberRemoved(userID: bytes("u1"), .disconnected), .vacated(.disconnected)])
        #expect(end.allSatisfy { $0.channel == bytes("presence-a") && $0.app == 0 && $0.milliseconds == 1_000_000 })
    }

    @Test func whoLeavesByItselfIsToldFromWhoIsLost() throws {
        let listener = try Listener(BrokerFixture())
        let peer = listener.fixture.connect()
        listener.fixture.subscribe(peer, "presence-a", data: #"{"user_id":"u1"}"#)
        listener.fixture.say(peer, Text.unsubscribe("presence-a"))
        #expect(
            listener.changes().suffix(2) == [
                .memberRemoved(userID: bytes("u1"), .unsubscribed), .vacated(.unsubscribed),
            ])
    }

    @Test func aUserIsOnlineFromItsFirstConnectionToItsLast() throws {
        let listener = try Listener(BrokerFixture(loops: 2))
        let fixture = listener.fixture
        let peers = [fixture.connect(), fixture.connect(loop: 1)]
        for peer in peers { fixture.signIn(peer, #"{"id":"u1","watchlist":["u2"]}"#) }
        for peer in peers { fixture.hangUp(peer) }
        #expect(listener.changes() == [.userOnline(userID: bytes("u1")), .userOffline(userID: bytes("u1"))])
    }

    @Test func aClientEventNamesItsSender() throws {
        let listener = try Listener(BrokerFixture(), [.clientEvent])
        let fixture = listener.fixture
        let peer = fixture.connect()
        fixture.subscribe(peer, "presence-a", data: #"{"user_id":"u\"1"}"#)
        fixture.say(peer, Text.clientEvent(#"client-\"x\\"#, "presence-a", data: #"{"a":1}"#))
        let edges = listener.take()
        guard case .clientEvent(let event) = edges.first?.change, edges.count == 1 else {
            return #expect(Bool(false), "\(edges)")
        }
        #expect(event.json[event.name].elementsEqual(bytes(#""client-\"x\\""#)))
        #expect(event.json[event.data].elementsEqual(bytes(#""{\"a\":1}""#)))
        #expect(event.userID == bytes(#"u"1"#) && event.origin == .local)
        #expect(event.socketID == fixture.brokers[0].socketID(of: peer.slot))
    }

    @Test func anEventOfTheAPIIsToldThoughNobodyIsThere() throws {
        let listener = try Listener(BrokerFixture(), [.published, .clientEvent])
        try listener.fixture.publish("client-e", ["private-a", "cache-a"], except: "1.2")
        let edges = listener.take()
        #expect(edges.map(\.kind) == [.published, .published])
        #expect(edges.map(\.channel) == [bytes("private-a"), bytes("cache-a")])
        guard case .published(let event) = edges[0].change else { return }
        #expect(event.socketID == SocketID(high: 1, low: 2) && event.userID == nil)
        #expect(event.json == bytes(Text.event("client-e", "private-a", data: "d")))
    }

    @Test func eachMissOfACacheIsTold() throws {
        let listener = try Listener(BrokerFixture(), [.cacheMiss])
        let (first, second) = (listener.fixture.connect(), listener.fixture.connect())
        listener.fixture.subscribe(first, "cache-a")
        listener.fixture.subscribe(first, "cache-a")
        #expect(listener.changes() == [.cacheMiss, .cacheMiss])
        try listener.fixture.publish("e", ["cache-a"])
        listener.fixture.subscribe(second, "cache-a")
        listener.fixture.subscribe(second, "open")
        #expect(listener.changes().isEmpty)
    }

    @Test func countsAreToldAsTheSubscribersAreToldThem() throws {
        let listener = try Listener(BrokerFixture { $0.subscriptionCountEnabled = true }, [.subscriptionCount])
        let fixture = listener.fixture
        let peers = (0..<102).map { _ in fixture.connect() }
        for peer in peers { fixture.subscribe(peer, "open") }
        #expect(listener.changes() == (1...100).map { .subscriptionCount($0) })
        fixture.pass(milliseconds: 5_000)
        fixture.tick()
        #expect(listener.changes() == [.subscriptionCount(102)])
        #expect(fixture.hear(peers[0]).suffix(1) == [Text.count("open", 102)])
    }

    @Test func aRefusedJoinIsNoEdge() throws {
        let listener = try Listener(
            BrokerFixture {
                $0.limits.presenceMembersMax = 1
                $0.limits.channelsMax = 1
            })
        let (first, second) = (listener.fixture.connect(), listener.fixture.connect())
        listener.fixture.subscribe(first, "presence-a", data: #"{"user_id":"u1"}"#)
        _ = listener.take()
        listener.fixture.subscribe(second, "presence-a", data: #"{"user_id":"u2"}"#)
        listener.fixture.subscribe(second, "cache-b")
        #expect(listener.take().isEmpty)
    }

    @Test func numbersGrowAlongAChannelThoughItsRecordIsMadeAnew() throws {
        let listener = try Listener(BrokerFixture())
        let peer = listener.fixture.connect()
        for _ in 0..<3 {
            listener.fixture.subscribe(peer, "open")
            listener.fixture.say(peer, Text.unsubscribe("open"))
            for _ in 0..<40 { listener.fixture.tick() }
        }
        #expect(listener.take().map(\.number) == [1, 2, 3, 4, 5, 6])
    }

    @Test func aFullQueueDropsWhatComesAndSaysHowMuch() throws {
        let edge = ChannelEdge(app: 0, channel: bytes("open-0"), change: .occupied, number: 1, milliseconds: 0)
        let listener = try Listener(BrokerFixture(), bytesMax: 3 * edge.queueBytes)
        let fixture = listener.fixture
        let peer = fixture.connect()
        for number in 0..<5 { fixture.subscribe(peer, "open-\(number)") }
        #expect(listener.consumer.queuedBytes == 3 * edge.queueBytes)
        #expect(listener.consumer.dropped(.occupied) == 2 && listener.consumer.dropped(.vacated) == 0)
        #expect(!fixture.shared.isOverloaded, "a slow consumer refuses no publish")
        #expect(listener.take().count == 3)
        #expect(listener.lost == 2, "told at the end of what was taken")
        #expect(listener.consumer.queuedBytes == 0)
        fixture.hangUp(peer)
        #expect(listener.take().count == 3 && listener.lost == 4)
        #expect(listener.take().isEmpty && listener.lost == 4, "each loss is told once")
    }

    @Test func aLossIsToldBeforeTheNextEdgeOfTheChannel() throws {
        let edge = ChannelEdge(app: 0, channel: bytes("open"), change: .occupied, number: 1, milliseconds: 0)
        let queue = EdgeQueue(bytesMax: edge.queueBytes)
        #expect(queue.push(edge) == .wasEmpty && queue.push(edge) == .dropped && queue.push(edge) == .dropped)
        queue.take { _, dropped in #expect(dropped == 0) }
        #expect(queue.push(edge) == .wasEmpty)
        queue.take { _, dropped in #expect(dropped == 2) }
        #expect(queue.dropped == 2 && queue.isEmpty && queue.queuedBytes == 0)
    }

    @Test func whatIsTooLongForTheQueueIsMissedAtTheNextEdgeAndOnce() throws {
        let edge = ChannelEdge(app: 0, channel: bytes("open-0"), change: .occupied, number: 1, milliseconds: 0)
        let listener = try Listener(BrokerFixture(), bytesMax: 3 * edge.queueBytes, [.occupied, .published])
        let peer = listener.fixture.connect()
        listener.fixture.subscribe(peer, "open-0")
        try listener.fixture.publish("e", (1...9).map { "nobody-\($0)" }, data: String(repeating: "d", count: 5_000))
        listener.fixture.subscribe(peer, "open-1")
        listener.fixture.subscribe(peer, "open-2")
        var missing: [UInt64] = []
        let later = listener.consumer.take { _, lost in missing.append(lost) }
        #expect(missing.count == 3 && missing.reduce(0, +) == listener.consumer.dropped(.published) && later == 0)
        #expect(missing[0] == 0 && missing[1] == 9 && missing[2] == 0 && listener.consumer.dropped(.occupied) == 0)
    }

    @Test func aConsumerIsWokenWhenEdgesWaitThatDidNotBefore() throws {
        let fixture = BrokerFixture()
        let wakes = WakeCount()
        let registered = fixture.shared.registerConsumer(
            queueBytesMax: 1 << 20, wake: { wakes.count.wrappingAdd(1, ordering: .relaxed) })
        let consumer = try #require(registered)
        consumer.setInterest([.occupied], in: fixture.app)
        let peer = fixture.connect()
        for name in ["open-0", "open-1"] {
            fixture.subscribe(peer, name)
            _ = fixture.brokers[0].takeWakes()
            #expect(wakes.count.load(ordering: .relaxed) == 1)
        }
        consumer.take { _, _ in }
        fixture.subscribe(peer, "open-2")
        _ = fixture.brokers[0].takeWakes()
        #expect(wakes.count.load(ordering: .relaxed) == 2)
    }

    @Test func anEdgeCountsEachTextItHolds() {
        let event = ChannelEdge.Event(
            json: bytes("12345"), name: 0..<1, data: 1..<2, userID: bytes("uvw"), origin: .local)
        let changes: [(ChannelEdge.Change, texts: Int)] = [
            (.occupied, 0), (.vacated(.unsubscribed), 0), (.cacheMiss, 0), (.subscriptionCount(7), 0),
            (.memberAdded(userID: bytes("ab"), userInfo: bytes("{}{}")), 6),
            (.memberAdded(userID: bytes("ab"), userInfo: nil), 2),
            (.memberRemoved(userID: bytes("ab"), .disconnected), 2),
            (.userOnline(userID: bytes("abc")), 3), (.userOffline(userID: bytes("abc")), 3),
            (.clientEvent(event), 8), (.published(event), 8),
            (.connectionRefused(.init(code: 4004, reason: "full", address: "::1")), 7),
            (
                .slowConsumer(
                    .init(socketID: SocketID(high: 1, low: 2), reason: "slow", address: "unix", backlogBytes: 9)), 8
            ),
        ]
        for (change, texts) in changes {
            let edge = ChannelEdge(app: 0, channel: bytes("name"), change: change, number: 1, milliseconds: 0)
            #expect(edge.queueBytes == EdgeQueue.nodeBytes + 4 + texts, "\(edge.kind)")
        }
    }

    @Test func whatIsForOperatorsIsToldToWhoAskedAndAtOnce() throws {
        let fixture = BrokerFixture()
        let wakes = WakeCount()
        let registered = fixture.shared.registerConsumer(
            queueBytesMax: 1 << 20, wake: { wakes.count.wrappingAdd(1, ordering: .relaxed) })
        let consumer = try #require(registered)
        let refusal = ChannelEdge.Change.connectionRefused(.init(code: 4004, reason: "full", address: "192.0.2.1"))
        #expect(!fixture.brokers[0].isAsked(for: .connectionRefused, in: fixture.app))
        fixture.brokers[0].report(refusal, in: fixture.app)
        consumer.setInterest([.connectionRefused], in: fixture.app)
        #expect(fixture.brokers[0].isAsked(for: .connectionRefused, in: fixture.app))
        #expect(!fixture.brokers[0].isAsked(for: .slowConsumer, in: fixture.app))
        for _ in 0..<2 { fixture.brokers[0].report(refusal, in: fixture.app) }
        #expect(wakes.count.load(ordering: .relaxed) == 1)
        var edges: [ChannelEdge] = []
        consumer.take { edge, _ in edges.append(edge) }
        #expect(edges.map(\.change) == [refusal, refusal] && edges.allSatisfy { $0.channel.isEmpty })
    }

    @Test func whatIsForOperatorsFillsHalfAQueueAndIsMissedByNobody() throws {
        let refusal = ChannelEdge(
            app: 0, channel: [], change: .connectionRefused(.init(code: 4004, reason: "", address: "")), number: 1,
            milliseconds: 0)
        let occupied = ChannelEdge(app: 0, channel: [], change: .occupied, number: 2, milliseconds: 0)
        let queue = EdgeQueue(bytesMax: 4 * refusal.queueBytes)
        #expect((0..<3).map { _ in queue.push(refusal) } == [.wasEmpty, .added, .dropped])
        #expect(queue.dropped(.connectionRefused) == 1 && queue.dropped == 0)
        #expect((0..<3).map { _ in queue.push(occupied) } == [.added, .added, .dropped])
        #expect(queue.dropped(.occupied) == 1 && queue.dropped == 1)
    }

    @Test(arguments: [ChannelEdge.Origin.local, .remote(node: 3)])
    func anEventKeepsItsOrigin(_ origin: ChannelEdge.Origin) {
        let json = bytes(Text.event("e", "open", data: "d"))
        let publication = Publication(
            json: json, dataBytes: 3, hash: 0, kind: ChannelKind(access: .public), except: .nobody, origin: origin)
        let event = publication.edge(userID: nil)
        #expect(event.origin == origin && event.json == json && event.socketID == nil)
        _ = publication.finish()
    }

    @Test func onlyWhoAskedIsTold() throws {
        let fixture = BrokerFixture()
        let listeners = try [[ChannelEdge.Kind.occupied], [.vacated], []].map { try Listener(fixture, $0) }
        let peer = fixture.connect()
        fixture.subscribe(peer, "open")
        fixture.hangUp(peer)
        #expect(listeners.map { $0.take().map(\.kind) } == [[.occupied], [.vacated], []])
        listeners[0].consumer.setInterest([], in: fixture.app)
        fixture.subscribe(fixture.connect(), "open")
        #expect(listeners[0].take().isEmpty)
    }

    @Test func noMoreThanFiveConsumersRegister() {
        let fixture = BrokerFixture()
        let consumers = (0..<6).map { _ in fixture.shared.registerConsumer(queueBytesMax: 0, wake: {}) }
        #expect(consumers.map { $0?.number } == [0, 1, 2, 3, 4, nil])
    }

    /// A mask of kinds and consumers in one word: neighbours must not touch each other.
    @Test func everyPairOfKindAndConsumerHasABitOfItsOwn() {
        for kind in ChannelEdge.Kind.allCases {
            for consumer in 0..<EdgeInterest.consumersMax {
                let interest = EdgeInterest()
                interest.set([kind], of: consumer)
                for other in ChannelEdge.Kind.allCases {
                    #expect(interest.consumers(of: other) == (other == kind ? 1 << UInt64(consumer) : 0))
                }
                interest.set([], of: consumer)
                #expect(interest.consumers(of: kind) == 0)
            }
        }
    }
}
