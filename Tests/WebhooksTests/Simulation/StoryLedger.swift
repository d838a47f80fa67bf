import BrokerCore
import PusherProtocol
import Webhooks

/// What a receiver believes from what it was told, and what cannot be true of it.
struct StoryLedger {
    struct Place: Hashable {
        var app: Int
        /// The channel, or the user who is online.
        var channel: String
    }

    struct State: Equatable {
        /// Occupied channels, each with its members.
        var members: [Place: Set<String>] = [:]
        var online: Set<Place> = []
    }

    private(set) var state = State()
    /// What was there before anybody asked: a receiver may hear first that it is gone.
    private var before = State()

    /// More was there before.
    mutating func assume(_ more: State) {
        before.members.merge(more.members) { $1 }
        before.online.formUnion(more.online)
    }

    /// - Returns: what is wrong with it; nil when it can follow what was told before.
    mutating func add(_ one: Happening) -> String? {
        let place = Place(app: one.app, channel: String(decoding: one.channel, as: UTF8.self))
        switch (one.kind, one.payload) {
        case (.channelOccupied, .none):
            guard before.members[place] == nil else { return "occupied, and was before" }
            guard state.members.updateValue(state.members[place] ?? [], forKey: place) == nil else {
                return "occupied twice"
            }
        case (.channelVacated, .none):
            let known = state.members.removeValue(forKey: place)
            let assumed = before.members.removeValue(forKey: place)
            guard known != nil || assumed != nil else { return "vacated twice" }
            guard (known ?? []).isEmpty, (assumed ?? []).isEmpty else { return "vacated before all were removed" }
        case (.memberAdded, .user(let id)):
            let user = String(decoding: id, as: UTF8.self)
            if state.members[place] == nil, before.members[place] != nil { state.members[place] = [] }
            guard before.members[place]?.contains(user) != true else { return "\(user) added, and was there before" }
            guard state.members[place]?.insert(user).inserted == true else {
                return "\(user) added twice, or to nothing"
            }
        case (.memberRemoved, .user(let id)):
            let user = String(decoding: id, as: UTF8.self)
            let isKnown = state.members[place]?.remove(user) != nil
            let isAssumed = before.members[place]?.remove(user) != nil
            guard isKnown || isAssumed else { return "\(user) removed twice" }
        case (.userOnline, .user(let id)):
            let user = Place(app: one.app, channel: String(decoding: id, as: UTF8.self))
            guard !before.online.contains(user), state.online.insert(user).inserted else { return "online twice" }
        case (.userOffline, .user(let id)):
            let user = Place(app: one.app, channel: String(decoding: id, as: UTF8.self))
            let isKnown = state.online.remove(user) != nil
            guard before.online.remove(user) != nil || isKnown else { return "offline twice" }
        default: return "a payload of another kind"
        }
        return nil
    }

    /// What was told, and what was there before and not told as gone.
    var believed: State {
        var all = state
        for (place, users) in before.members { all.members[place, default: []].formUnion(users) }
        all.online.formUnion(before.online)
        return all
    }
}
