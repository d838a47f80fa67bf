internal import BrokerCore
internal import PusherProtocol

/// What was told of one app's channels and users.
///
/// It holds as much as the registry does: each channel and member that receivers were told of, with the registry's own arrays as names.
final class AppStory {
    /// What is followed from edge to edge.
    struct Aspects: OptionSet {
        let rawValue: UInt8
        static let occupancy = Aspects(rawValue: 1)
        static let members = Aspects(rawValue: 2)
        static let users = Aspects(rawValue: 4)

        init(rawValue: UInt8) { self.rawValue = rawValue }

        /// To tell that somebody came one must know that he had left, and the other way round.
        init(for kinds: WebhookKinds) {
            self = []
            if kinds.contains(.channelOccupied) || kinds.contains(.channelVacated) { insert(.occupancy) }
            if kinds.contains(.memberAdded) || kinds.contains(.memberRemoved) { insert(.members) }
            if kinds.contains(.userOnline) || kinds.contains(.userOffline) { insert(.users) }
        }
    }

    let number: Int
    /// What receivers want to be told.
    private(set) var kinds: WebhookKinds
    private(set) var aspects: Aspects
    /// What began to be followed while channels were there, and was not read to its end yet. Of these, what is not known was here before.
    var adopting: Aspects
    /// State edges up to this number are contained in what is being read, or was read.
    var readNumber: UInt64 = 0
    private(set) var channels: [NameKey: ChannelStory] = [:]

    init(number: Int, kinds: WebhookKinds) {
        (self.number, self.kinds) = (number, kinds)
        aspects = Aspects(for: kinds)
        adopting = aspects
    }

    /// Follows other kinds from now on.
    /// - Returns: whether what is here must be read.
    func follow(_ kinds: WebhookKinds) -> Bool {
        let next = Aspects(for: kinds)
        let fresh = next.subtracting(aspects)
        forget(aspects.subtracting(next))
        (self.kinds, aspects) = (kinds, next)
        adopting = adopting.intersection(next).union(fresh)
        return !fresh.isEmpty
    }

    /// Drops what nobody wants to know any more; its waits find nothing.
    private func forget(_ aspects: Aspects) {
        guard !aspects.isEmpty else { return }
        for channel in channels.values {
            if aspects.contains(Self.occupancy(of: channel.isUser)) { channel.occupancy = .unknown }
            if aspects.contains(.members) { channel.members = [:] }
        }
        channels = channels.filter { !$0.value.isIdle }
    }

    /// The aspect of a channel's or a user's own presence.
    private static func occupancy(of isUser: Bool) -> Aspects { isUser ? .users : .occupancy }

    func followsOccupancy(ofUser isUser: Bool) -> Bool { aspects.contains(Self.occupancy(of: isUser)) }

    /// Whether members that are not known were here before.
    var assumesMembers: Bool { adopting.contains(.members) }

    /// What is known of a channel; of one that is not known, what may be assumed.
    func channel(_ name: NameKey) -> ChannelStory {
        if let known = channels[name] { return known }
        let fresh = ChannelStory(name, .unknown)
        let own = Self.occupancy(of: fresh.isUser)
        if aspects.contains(own) { fresh.occupancy = adopting.contains(own) ? .assumed : .away }
        channels[name] = fresh
        return fresh
    }

    func find(_ name: NameKey) -> ChannelStory? { channels[name] }

    /// Forgets a channel of which there is no more to say.
    func release(_ channel: ChannelStory) {
        if channel.isIdle, channels[channel.name] === channel { channels[channel.name] = nil }
    }

    /// Takes over what was here before.
    func adopt(_ found: OccupiedChannel) {
        guard adopting.contains(Self.occupancy(of: found.isUser)) || !found.members.isEmpty && assumesMembers else {
            return
        }
        let channel = channel(NameKey(found.name))
        if channel.occupancy == .unknown, adopting.contains(Self.occupancy(of: found.isUser)) {
            channel.occupancy = .assumed
        }
        guard assumesMembers else { return }
        for user in found.members {
            let user = NameKey(user)
            if channel.members[user] == nil { channel.members[user] = .assumed }
        }
    }
}
