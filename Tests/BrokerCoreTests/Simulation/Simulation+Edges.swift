import BrokerCore
import PusherProtocol

/// The edges of each command against the model's.
extension Simulation {
    /// Every edge comes in the command that it belongs to, once, in the order of its channel; and wakes who waits for it.
    func checkEdges(areAll: Bool) throws {
        let (taken, fault) = consumers.takeEdges()
        if let fault { throw fail(fault) }
        for edge in taken {
            guard edge.milliseconds == UInt64(model.now) else { throw fail("the time of \(edge)") }
            // Of a full queue the model does not say when a count is told.
            if model.isTight, edge.kind == .subscriptionCount { continue }
            let place = Model.Place(app: edge.app, channel: String(decoding: edge.channel, as: UTF8.self))
            edges[place, default: []].append(Self.text(of: edge))
        }
        guard areAll else { return }
        guard edges == model.edges else { throw fail("edges \(edges), expected \(model.edges)") }
        (edges, model.edges) = ([:], [:])
    }

    /// A consumer takes what waits for it, or wants to hear something else.
    func consumeEdges() throws {
        note("a consumer of edges does something")
        if let fault = consumers.doSomething(shared.apps, &random) { throw fail(fault) }
    }

    /// What the edges say is what the broker says.
    func compareEdges() throws {
        if let fault = consumers.takeAll() { throw fail(fault) }
        var (occupied, online): (Set<EdgeBook.Place>, Set<EdgeBook.Place>) = ([], [])
        for (place, channel) in model.channels where channel.count > 0 {
            let known = EdgeBook.Place(app: place.app, channel: place.channel)
            if place.channel.hasPrefix("#") { online.insert(known) } else { occupied.insert(known) }
            guard consumers.book.members[known] ?? [] == Set(channel.members.keys) else {
                throw fail("edges say \(consumers.book.members[known] ?? []) are in \(known)")
            }
        }
        guard consumers.book.occupied == occupied, consumers.book.online == online else {
            throw fail("edges say \(consumers.book.occupied) and \(consumers.book.online)")
        }
    }

    private static func text(of edge: ChannelEdge) -> String {
        func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
        func text(_ kind: String, _ event: ChannelEdge.Event) -> String {
            var socket: [UInt8] = []
            event.socketID?.append(to: &socket)
            let parts = [
                kind, text(event.json[event.name]), text(event.json[event.data]), socket.isEmpty ? "-" : text(socket),
                event.userID.map { text($0) } ?? "-", text(event.json),
            ]
            return parts.joined(separator: " ")
        }
        return switch edge.change {
        case .occupied: "occupied"
        case .vacated(let leave): "vacated \(leave)"
        case .memberAdded(let userID, let userInfo): "added \(text(userID)) \(userInfo.map { text($0) } ?? "-")"
        case .memberRemoved(let userID, let leave): "removed \(text(userID)) \(leave)"
        case .clientEvent(let event): text("clientEvent", event)
        case .cacheMiss: "cacheMiss"
        case .subscriptionCount(let count): "subscriptionCount \(count)"
        case .userOnline(let userID): "online \(text(userID))"
        case .userOffline(let userID): "offline \(text(userID))"
        case .published(let event): text("published", event)
        case .connectionRefused, .slowConsumer: "\(edge.change)"
        }
    }
}
