import BrokerCore

/// What a consumer can believe of the channels from their edges alone; says what cannot be true.
struct EdgeBook {
    struct Place: Hashable {
        var app: Int
        var channel: String
    }

    private(set) var members: [Place: Set<String>] = [:]
    private(set) var online: Set<Place> = []
    private var numbers: [Place: UInt64] = [:]

    /// Occupied channels.
    var occupied: Set<Place> { Set(members.keys) }

    /// Takes the next edge.
    /// - Returns: what is wrong with it; nil when it can follow those before.
    mutating func add(_ edge: ChannelEdge) -> String? {
        let place = Place(app: edge.app, channel: String(decoding: edge.channel, as: UTF8.self))
        guard numbers[place] ?? 0 < edge.number else { return "number \(edge.number) after \(numbers[place] ?? 0)" }
        numbers[place] = edge.number
        switch edge.change {
        case .occupied:
            guard members.updateValue([], forKey: place) == nil else { return "occupied twice" }
        case .vacated:
            guard let left = members.removeValue(forKey: place) else { return "vacated twice" }
            guard left.isEmpty else { return "vacated before \(left) left" }
        case .memberAdded(let userID, _):
            let user = String(decoding: userID, as: UTF8.self)
            guard members[place]?.insert(user).inserted == true else { return "\(user) added twice, or to nothing" }
        case .memberRemoved(let userID, _):
            let user = String(decoding: userID, as: UTF8.self)
            guard members[place]?.remove(user) != nil else { return "\(user) removed twice" }
        case .userOnline:
            guard online.insert(place).inserted else { return "online twice" }
        case .userOffline:
            guard online.remove(place) != nil else { return "offline twice" }
        case .clientEvent, .cacheMiss, .subscriptionCount:
            guard members[place] != nil else { return "\(edge.kind) of a vacated channel" }
        case .published, .connectionRefused, .slowConsumer: break
        }
        return nil
    }
}
