import BrokerCore

/// What the broker must do, in dictionaries and arrays and with nothing clever: one list of the frames each client still
/// has to get, per channel, and one book of who is where.
struct Model {
    struct Place: Hashable {
        var app: Int
        var channel: String
    }

    enum Role { case channel, user, watch }

    struct Membership {
        var place: Place
        var role: Role
        var user: String?
    }

    /// A frame that must come.
    enum Expected: Equatable {
        case text(String)
        /// `subscription_succeeded` of a presence channel: each user with its `user_info`; the order is the broker's own.
        case snapshot(String, [String: String])
        /// The answer to a watchlist.
        case statuses(online: [String], offline: [String])
        case failure(code: Int?)
        case refusal(String, type: String, status: Int)
    }

    struct Client {
        let id: Int
        let loop: Int
        let slot: UInt32
        let app: Int
        let socketID: String
        /// As the broker keeps them: what leaves is replaced by the last. Closing gives them back from the last.
        var memberships: [Membership] = []
        var user: (id: String, info: String?)?
        /// What it must still get, by channel; a channel that is not a key may send it nothing.
        var inbox: [String: [Expected]] = [:]
        /// Thousandths of a client event, and when that was right.
        var tokens = 0
        var tokensAt = 0
        var terminations = 0
        /// Presence channels: who it believes is there and with which `user_info`, from the frames it got.
        var believed: [String: [String: String]] = [:]
        /// Watched users: what it was told last.
        var online: [String: Bool] = [:]
        /// Public channels: the last subscription count it got.
        var counted: [String: Int] = [:]
    }

    struct Channel {
        /// Connections that hear it.
        var listeners: [Int] = []
        var watchers: [Int] = []
        /// Memberships not yet given back; those of closed connections count until their slice.
        var count = 0
        var members: [String: (info: String, connections: Int)] = [:]
        var cached: (frame: String, data: String, expires: Int)?
        var countSent: Int?
        var isCountPending = false
    }

    /// In force on all loops.
    var settings: [AppSettings]
    /// Queues are full most of the time. What then comes late, or never because something newer does, is not owed frame by frame:
    /// member events, statuses and counts. Each must make sense to the client that gets it, and in the end all must be true.
    var isTight = false
    /// Whether a loop's queue is full: the broker is asked, everything else follows from that.
    var isFull: (Int) -> Bool = { _ in false }
    var now = 1_000_000
    var unixSeconds = 1_700_000_000
    var clients: [Int: Client] = [:]
    var channels: [Place: Channel] = [:]
    /// Memberships of closed connections, by loop.
    var departures: [[Membership]]
    /// What the running command must answer at once.
    var answers: [(client: Int, frame: Expected)] = []
    /// What consumers of edges must be told of the running command, by channel.
    var edges: [Place: [String]] = [:]
    var backend: [(window: Int, used: Int)]
    var today: [(window: Int, used: Int)]

    var isOverloaded: Bool { departures.indices.contains(where: isFull) }

    init(settings: [AppSettings], loops: Int) {
        self.settings = settings
        departures = Array(repeating: [], count: loops)
        backend = settings.map { _ in (0, 0) }
        today = settings.map { _ in (0, 0) }
    }

    static func userChannel(_ user: String) -> String { "#server-to-user-" + user }
    static func watchKey(_ user: String) -> String { "watch:" + user }

    func openCount(app: Int) -> Int { clients.values.count { $0.app == app } }

    func occupiedCount(app: Int) -> Int {
        channels.count { $0.key.app == app && $0.value.count > 0 && !$0.key.channel.hasPrefix("#") }
    }

    mutating func answer(_ client: Int, _ frame: Expected) { answers.append((client, frame)) }

    // MARK: Posting

    /// Everyone who listens now must get the frame, in this place among the channel's frames.
    mutating func post(_ text: String, to place: Place, except: Int? = nil) {
        for id in channels[place]?.listeners ?? [] where id != except {
            clients[id]?.inbox[place.channel]?.append(.text(text))
        }
    }

    mutating func postStatus(_ place: Place, online: Bool) {
        let user = String(place.channel.dropFirst("#server-to-user-".count))
        guard !isTight else { return }
        let text = Text.watchlist(online: online ? [user] : [], offline: online ? [] : [user])
        for id in channels[place]?.watchers ?? [] { clients[id]?.inbox[Self.watchKey(user)]?.append(.text(text)) }
    }

    mutating func countChanged(_ place: Place, isTick: Bool = false) {
        guard !isTight, settings[place.app].subscriptionCountEnabled, !place.channel.hasPrefix("#"),
            !place.channel.hasPrefix("presence-"), let channel = channels[place]
        else { return }
        let isDue = channel.countSent.map { now >= $0 + 5_000 } ?? true
        guard isDue || (channel.count <= 100 && !isTick) else {
            channels[place]?.isCountPending = true
            return
        }
        channels[place]?.isCountPending = false
        channels[place]?.countSent = now
        post(Text.count(place.channel, channel.count), to: place)
        tell(place, "subscriptionCount \(channel.count)")
    }

    mutating func tell(_ place: Place, _ edge: String) { edges[place, default: []].append(edge) }

    // MARK: Membership

    mutating func join(_ id: Int, _ place: Place, role: Role, user: String? = nil, info: String? = nil) {
        var channel = channels[place] ?? Channel()
        let member = role == .channel ? user : nil
        clients[id]?.memberships.append(Membership(place: place, role: role, user: member))
        if role == .watch {
            channel.watchers.append(id)
            channels[place] = channel
            clients[id]?.inbox[Self.watchKey(user ?? "")] = []
            return
        }
        if channel.count == 0 {
            tell(place, role == .channel ? "occupied" : "online \(place.channel.dropFirst(16))")
        }
        if let member {
            if channel.members[member] == nil {
                tell(place, "added \(member) \(info ?? "-")")
                channel.members[member] = (info ?? "null", 0)
                if !isTight { post(Text.memberAdded(place.channel, member, info: info), to: place) }
            }
            channel.members[member]?.connections += 1
        }
        channel.count += 1
        channel.listeners.append(id)
        channels[place] = channel
        clients[id]?.inbox[place.channel] = []
        if role == .user, channel.count == 1 { postStatus(place, online: true) }
        countChanged(place)
    }

    /// The connection hears nothing of it any more; the book is changed by `giveBack`.
    mutating func detach(_ id: Int, at index: Int) -> Membership? {
        guard var client = clients[id] else { return nil }
        let last = client.memberships.count - 1
        client.memberships.swapAt(index, last)
        let left = client.memberships.removeLast()
        let name = left.place.channel
        client.inbox[left.role == .watch ? Self.watchKey(String(name.dropFirst(16))) : name] = nil
        client.believed[name] = nil
        client.counted[name] = nil
        if left.role == .watch { client.online[String(name.dropFirst(16))] = nil }
        clients[id] = client
        if left.role == .watch {
            channels[left.place]?.watchers.removeAll { $0 == id }
        } else {
            channels[left.place]?.listeners.removeAll { $0 == id }
        }
        return left
    }

    mutating func giveBack(_ left: Membership, _ leave: ChannelEdge.Leave) {
        guard left.role != .watch else { return }
        channels[left.place]?.count -= 1
        let remaining = channels[left.place]?.count ?? 0
        if let user = left.user {
            channels[left.place]?.members[user]?.connections -= 1
            if channels[left.place]?.members[user]?.connections == 0 {
                channels[left.place]?.members[user] = nil
                tell(left.place, "removed \(user) \(leave)")
                if !isTight { post(Text.memberRemoved(left.place.channel, user), to: left.place) }
            }
        }
        if remaining > 0 { return countChanged(left.place) }
        channels[left.place]?.countSent = nil
        channels[left.place]?.isCountPending = false
        guard left.role == .user else { return tell(left.place, "vacated \(leave)") }
        tell(left.place, "offline \(left.place.channel.dropFirst(16))")
        postStatus(left.place, online: false)
    }

    mutating func close(_ id: Int) {
        guard let client = clients[id] else { return }
        for index in client.memberships.indices.reversed() {
            if let left = detach(id, at: index) { departures[client.loop].append(left) }
        }
        clients[id] = nil
    }

    mutating func settle(loop: Int, limit: Int) {
        for left in departures[loop].prefix(limit) { giveBack(left, .disconnected) }
        departures[loop].removeFirst(min(limit, departures[loop].count))
    }

    /// Counts that are owed and due, on all loops.
    mutating func tick() {
        for (place, channel) in channels where channel.isCountPending { countChanged(place, isTick: true) }
    }
}
