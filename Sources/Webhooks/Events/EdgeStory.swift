public import BrokerCore
public import PusherProtocol

/// Makes of the edges of all apps what receivers are told: whoever loses his connection and is back in time was never away.
///
/// One for the process, on the thread that takes the edges. Pure: it has no clock, and reads the registry only in `read`. Used so:
///
///     story.follow(kinds, of: app, by: consumer)    at the start and after each reload
///     story.take(from: consumer)                    whenever edges wait; before `advance`, so that who came back in time is seen to
///     story.advance(to: now)                        then, and at `nextDue`
///     while story.mustRead { story.read(shared) }   a bounded step each time: once a turn
///     story.takeReady { … }
///
/// **Order within a channel.** Occupied before any member is added, every member removed before vacated. So a channel is not vacated
/// while one of its members may still come back, also if the last who was there left by himself: the vacated goes with the last removed.
/// Members wait each for themselves: while A may come back, B is told at once. A channel that somebody else enters while its vacated
/// waits was never empty; who left is told as removed when his time is over.
///
/// **Losses.** Where the queue of edges was full, every channel is read from the registry again, step by step, and what differs from what
/// was told is told now, so that for each channel and member here and gone always alternate and end in the truth. How somebody left is
/// not known then; he counts as one who lost his connection.
///
/// **What was there before.** When an app gets webhooks while it has channels, nothing is told of them, but when they are vacated they
/// are told as vacated, and their members as removed. If edges are lost before all of them are known, those not known yet are told as occupied.
public struct EdgeStory: ~Copyable {
    /// What is counted.
    public struct Counts: Sendable, Equatable {
        /// Times that somebody was back in time, so that a "gone" and a "here" were not told.
        public var suppressed: UInt64 = 0
        /// Waits that ended early because a million were waiting.
        public var releasedEarly: UInt64 = 0
        /// Edges that were lost.
        public var lost: UInt64 = 0
        /// Events for operators that are counted in a later one of the same kind.
        public var leftOut: UInt64 = 0
    }

    /// How long a "gone" waits for a return after a disconnect. May change at any time.
    public var returnMilliseconds: Int
    public private(set) var counts = Counts()
    /// By number.
    private var apps: [AppStory?] = []
    private var waits: Waits
    private var misses = CacheMisses()
    private var rates = OperatorRates()
    private var reading = RegistryReading()
    private var ready: [Happening] = []
    /// The newest time that was heard of.
    private var now: UInt64 = 0
    /// Waits that one `advance` ends.
    private static let releasesMax = 4_096

    public init(returnMilliseconds: Int) {
        self.init(returnMilliseconds: returnMilliseconds, waitsMax: Waits.entriesMaxDefault)
    }

    /// For tests, which do not let a million wait.
    init(returnMilliseconds: Int, waitsMax: Int) {
        self.returnMilliseconds = returnMilliseconds
        waits = Waits(entriesMax: waitsMax)
    }

    public var suppressed: UInt64 { counts.suppressed }

    /// Those who may still come back, and those who did and whose time is not over.
    public var waiting: Int { waits.count }

    /// Times that all channels were read again because edges were lost.
    public var comparisons: UInt64 { reading.comparisons }

    /// Misses of caches that were forgotten before their ten seconds were over, because too many channels had some.
    public var missesForgotten: UInt64 { misses.forgotten }

    /// Channels and users of whom something may still be told, for tests and figures.
    var channelsKnown: Int { apps.reduce(0) { $0 + ($1?.channels.count ?? 0) } }

    // MARK: What is followed

    /// The edges that an app's receivers need.
    public static func edgeKinds(for kinds: WebhookKinds) -> Set<ChannelEdge.Kind> {
        let aspects = AppStory.Aspects(for: kinds)
        var edges: Set<ChannelEdge.Kind> = []
        if aspects.contains(.occupancy) { edges.formUnion([.occupied, .vacated]) }
        if aspects.contains(.members) { edges.formUnion([.memberAdded, .memberRemoved]) }
        if aspects.contains(.users) { edges.formUnion([.userOnline, .userOffline]) }
        if kinds.contains(.clientEvent) { edges.insert(.clientEvent) }
        if kinds.contains(.cacheMiss) { edges.insert(.cacheMiss) }
        if kinds.contains(.subscriptionCount) { edges.insert(.subscriptionCount) }
        if kinds.contains(.connectionRefused) { edges.insert(.connectionRefused) }
        if kinds.contains(.slowConsumer) { edges.insert(.slowConsumer) }
        return edges
    }

    /// From now on an app's receivers want to be told of these kinds; none: of nothing. The consumer is told what to listen to.
    public mutating func follow(_ kinds: WebhookKinds, of app: App, by consumer: EdgeConsumer) {
        // First: what is read afterwards and the edges from now on fit together without a gap.
        consumer.setInterest(Self.edgeKinds(for: kinds), in: app)
        if let story = find(app.index) {
            if story.follow(kinds) { reading.adopt(story) }
        } else if kinds.rawValue != 0 {
            add(AppStory(number: app.index, kinds: kinds))
        }
    }

    private func find(_ app: Int) -> AppStory? { apps.indices.contains(app) ? apps[app] : nil }

    private mutating func add(_ story: AppStory) {
        while apps.count <= story.number { apps.append(nil) }
        apps[story.number] = story
        if !story.aspects.isEmpty { reading.adopt(story) }
    }

    // MARK: Edges

    /// Takes all edges that wait.
    public mutating func take(from consumer: EdgeConsumer) {
        let lost = consumer.take { edge, lost in take(edge, lost: lost) }
        tookAll(lost: lost)
    }

    /// Takes one edge.
    /// - Parameter lost: as `EdgeConsumer.take` says it.
    public mutating func take(_ edge: ChannelEdge, lost: UInt64 = 0) {
        if lost > 0 { noteLost(lost) }
        now = max(now, edge.milliseconds)
        guard let app = find(edge.app) else { return }
        switch edge.change {
        case .occupied, .vacated, .memberAdded, .memberRemoved, .userOnline, .userOffline: follow(edge, in: app)
        case .clientEvent(let event): tell(.clientEvent, app, edge.channel, at: edge.milliseconds, .clientEvent(event))
        case .cacheMiss:
            guard misses.admit(edge.channel, app: edge.app, milliseconds: now) else { return }
            tell(.cacheMiss, app, edge.channel, at: edge.milliseconds)
        case .subscriptionCount(let count):
            tell(.subscriptionCount, app, edge.channel, at: edge.milliseconds, .count(count))
        case .connectionRefused(let refusal): report(.connectionRefused, app, at: edge.milliseconds, .refusal(refusal))
        case .slowConsumer(let slow): report(.slowConsumer, app, at: edge.milliseconds, .slowConsumer(slow))
        case .published: break
        }
    }

    /// After each time that all waiting edges were taken.
    /// - Parameter lost: how many were lost after the last one.
    public mutating func tookAll(lost: UInt64) {
        if lost > 0 { noteLost(lost) }
        reading.settle()
    }

    private mutating func noteLost(_ count: UInt64) {
        counts.lost += count
        reading.noteLoss()
    }

    private mutating func follow(_ edge: ChannelEdge, in app: AppStory) {
        guard edge.number > app.readNumber else { return }
        let channel = app.channel(NameKey(edge.channel))
        defer { app.release(channel) }
        guard edge.number > channel.readNumber else { return }
        let at = edge.milliseconds
        switch edge.change {
        case .occupied, .userOnline: came(channel, in: app, at: at, isProof: true)
        case .vacated(let leave): went(channel, in: app, leave, at: at)
        case .userOffline: went(channel, in: app, .disconnected, at: at)
        case .memberAdded(let user, _):
            guard app.aspects.contains(.members) else { return }
            // Where the edge of its occupation was lost.
            if !channel.occupancy.isHere { came(channel, in: app, at: at, isProof: true) }
            came(NameKey(user), to: channel, in: app, at: at, isProof: true)
        case .memberRemoved(let user, let leave):
            guard app.aspects.contains(.members) else { return }
            let user = NameKey(user)
            if channel.members[user] == nil, app.assumesMembers { channel.members[user] = .assumed }
            went(user, from: channel, in: app, leave, at: at)
        case .clientEvent, .cacheMiss, .subscriptionCount, .published, .connectionRefused, .slowConsumer: break
        }
    }

    // MARK: Who came

    /// - Parameter isProof: an edge says so, by which it was not here before.
    private mutating func came(_ channel: ChannelStory, in app: AppStory, at: UInt64, isProof: Bool) {
        switch channel.occupancy {
        case .unknown, .here: return
        case .assumed: if !isProof { return }
        case .away: break
        case .leaving(let since):
            // With the last member, where it has some.
            guard isOver(channel.lastLeftAt ?? since, at) else {
                channel.occupancy = .here
                counts.suppressed += 1
                return
            }
            tellVacated(channel, in: app, at: since)
        }
        channel.occupancy = .here
        tell(channel, in: app, isHere: true, at: at)
    }

    private mutating func came(
        _ user: NameKey, to channel: ChannelStory, in app: AppStory, at: UInt64, isProof: Bool
    ) {
        switch channel.members[user] {
        case .here: return
        case .assumed: if !isProof { return }
        case nil, .away, .unknown: break
        case .leaving(let since):
            guard isOver(since, at) else {
                channel.members[user] = .here
                counts.suppressed += 1
                return
            }
            tell(.memberRemoved, app, channel.name.bytes, at: since, .user(user.bytes))
        }
        channel.members[user] = .here
        tell(.memberAdded, app, channel.name.bytes, at: at, .user(user.bytes))
    }

    private func isOver(_ since: UInt64, _ at: UInt64) -> Bool { since + UInt64(max(0, returnMilliseconds)) <= at }

    // MARK: Who went

    private mutating func went(
        _ channel: ChannelStory, in app: AppStory, _ leave: ChannelEdge.Leave, at: UInt64
    ) {
        // Whose own edge was lost.
        for (user, standing) in channel.members where standing.isHere {
            went(user, from: channel, in: app, leave, at: at)
        }
        guard channel.occupancy.isHere else { return }
        if !channel.members.isEmpty {
            channel.occupancy = .leaving(since: at)
        } else if leave == .disconnected, returnMilliseconds > 0 {
            channel.occupancy = .leaving(since: at)
            wait(Waits.Entry(app: app, channel: channel, user: nil, since: at))
        } else {
            tellVacated(channel, in: app, at: at)
        }
    }

    private mutating func went(
        _ user: NameKey, from channel: ChannelStory, in app: AppStory, _ leave: ChannelEdge.Leave, at: UInt64
    ) {
        guard channel.members[user]?.isHere ?? false else { return }
        if leave == .disconnected, returnMilliseconds > 0 {
            channel.members[user] = .leaving(since: at)
            wait(Waits.Entry(app: app, channel: channel, user: user, since: at))
        } else {
            tellRemoved(user, from: channel, in: app, at: at)
        }
    }

    private mutating func wait(_ entry: Waits.Entry) {
        waits.add(entry)
        while waits.isTooLong, let oldest = waits.takeOldest() {
            if release(oldest) { counts.releasedEarly += 1 }
        }
    }

    /// Ends a wait.
    /// - Returns: false when there was nothing to tell: they came back, or their app's webhooks are gone.
    @discardableResult
    private mutating func release(_ entry: Waits.Entry) -> Bool {
        let (app, channel) = (entry.app, entry.channel)
        defer { app.release(channel) }
        guard let user = entry.user else {
            guard channel.occupancy == .leaving(since: entry.since) else { return false }
            tellVacated(channel, in: app, at: entry.since)
            return true
        }
        guard channel.members[user] == .leaving(since: entry.since) else { return false }
        tellRemoved(user, from: channel, in: app, at: entry.since)
        return true
    }

    private mutating func tellRemoved(_ user: NameKey, from channel: ChannelStory, in app: AppStory, at: UInt64) {
        channel.members[user] = nil
        tell(.memberRemoved, app, channel.name.bytes, at: at, .user(user.bytes))
        // The channel waited for its members.
        if channel.members.isEmpty, let since = channel.occupancy.leftAt { tellVacated(channel, in: app, at: since) }
    }

    /// Tells of the members who are waited for, then of the channel.
    private mutating func tellVacated(_ channel: ChannelStory, in app: AppStory, at: UInt64) {
        channel.occupancy = .away
        for (user, standing) in channel.members {
            guard let since = standing.leftAt else { continue }
            channel.members[user] = nil
            tell(.memberRemoved, app, channel.name.bytes, at: since, .user(user.bytes))
        }
        tell(channel, in: app, isHere: false, at: at)
    }

    // MARK: Telling

    private mutating func tell(_ channel: ChannelStory, in app: AppStory, isHere: Bool, at: UInt64) {
        guard channel.isUser else {
            return tell(isHere ? .channelOccupied : .channelVacated, app, channel.name.bytes, at: at)
        }
        tell(isHere ? .userOnline : .userOffline, app, at: at, .user(channel.userID))
    }

    private mutating func tell(
        _ kind: WebhookKind, _ app: AppStory, _ channel: [UInt8] = [], at: UInt64, _ payload: Happening.Payload = .none
    ) {
        guard app.kinds.contains(kind) else { return }
        ready.append(
            Happening(app: app.number, kind: kind, channel: channel, milliseconds: at, payload: payload))
    }

    private mutating func report(_ kind: WebhookKind, _ app: AppStory, at: UInt64, _ payload: Happening.Payload) {
        guard app.kinds.contains(kind) else { return }
        guard let leftOut = rates.admit(kind, app: app.number, milliseconds: at) else {
            counts.leftOut += 1
            return
        }
        var happening = Happening(app: app.number, kind: kind, milliseconds: at, payload: payload)
        happening.leftOut = leftOut
        ready.append(happening)
    }

    // MARK: Time

    /// Ends the waits whose time is over: those who are back by now have been taken before. A bounded number of them: `nextDue` is not later
    /// than `milliseconds` while more are due.
    public mutating func advance(to milliseconds: UInt64) {
        now = max(now, milliseconds)
        for _ in 0..<Self.releasesMax {
            guard let oldest = waits.oldest, isOver(oldest.since, now), let due = waits.takeOldest() else { return }
            release(due)
        }
    }

    /// When `advance` or `read` has something to do next; nil: not before another edge.
    public var nextDue: UInt64? {
        let wait = waits.oldest.map { $0.since + UInt64(max(0, returnMilliseconds)) }
        guard let reading = reading.nextDue else { return wait }
        return min(reading, wait ?? reading)
    }

    /// Nobody is waited for any more: the process ends.
    public mutating func releaseAll() {
        while let oldest = waits.takeOldest() { release(oldest) }
    }

    /// Hands over what is to be told, in its order.
    public mutating func takeReady(_ body: (Happening) -> Void) {
        let told = ready
        ready = []
        for one in told { body(one) }
    }

    // MARK: The registry

    /// Whether `read` has something to do.
    public var mustRead: Bool { reading.mustRead(now) }

    /// Reads a few hundred channels of the registry, for what was there before or was lost.
    public mutating func read(_ shared: SharedBroker) {
        guard let step = reading.next(of: shared, apps, now) else { return }
        for finding in step.findings {
            if !step.isAdopting {
                compare(finding, in: step.app)
            } else if let found = finding.found {
                step.app.adopt(found)
            }
        }
    }

    /// Tells what differs from what was told. How somebody left is not known, and when not either.
    private mutating func compare(_ finding: RegistryReading.Finding, in app: AppStory) {
        let channel = app.channel(finding.name)
        defer { app.release(channel) }
        channel.readNumber = finding.number
        guard let found = finding.found else { return went(channel, in: app, .disconnected, at: now) }
        came(channel, in: app, at: now, isProof: false)
        guard app.aspects.contains(.members), !found.isUser else { return }
        let present = Set(found.members.map(NameKey.init))
        for (user, standing) in channel.members where standing.isHere && !present.contains(user) {
            went(user, from: channel, in: app, .disconnected, at: now)
        }
        for user in found.members { came(NameKey(user), to: channel, in: app, at: now, isProof: false) }
    }
}
