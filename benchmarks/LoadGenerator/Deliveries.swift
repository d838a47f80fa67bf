/// Which events the subscribers of one worker have got, and which numbers its publishers gave them.
struct Deliveries {
    private let plan: Plan
    private let worker: Int
    /// By subscriber, its channels, and their publishers.
    private var trackers: [DeliveryTracker]
    /// The next sequence number of each (channel, publisher).
    private(set) var sequences: [UInt32] = []

    init(plan: Plan, worker: Int) {
        (self.plan, self.worker) = (plan, worker)
        let count = plan.subscribers(of: worker) * plan.channelsPerClient * plan.publishers
        trackers = Array(repeating: DeliveryTracker(), count: count)
    }

    mutating func restartSequences() { sequences = Array(repeating: 0, count: plan.channels * plan.publishers) }

    mutating func takeSequence(_ channel: Int, _ publisher: Int) -> UInt32 {
        let place = channel * plan.publishers + publisher
        let sequence = sequences[place]
        sequences[place] = sequence &+ 1
        return sequence
    }

    /// An event came to a client; nil: on a channel that it never asked for, or of nobody we know. Hot.
    mutating func arrived(_ stamp: Stamp, client: Int) -> DeliveryTracker.Arrival? {
        guard client < plan.subscribers, stamp.channel < plan.channels, stamp.publisher < plan.publishers else {
            return nil
        }
        let position = plan.index(of: Int(stamp.channel), for: client)
        guard position < plan.channelsPerClient else { return nil }
        let channel = client / plan.workers * plan.channelsPerClient + position
        return trackers[channel * plan.publishers + Int(stamp.publisher)].arrived(stamp.sequence)
    }

    /// What the subscribers were to get is of no interest any more.
    mutating func forget() { for index in trackers.indices { trackers[index] = DeliveryTracker() } }

    /// How many deliveries are missing, when so many events of each (channel, publisher) were sent.
    func lost(sent: [UInt32]) -> Int {
        let perClient = plan.channelsPerClient * plan.publishers
        guard perClient > 0, sent.count == plan.channels * plan.publishers else { return 0 }
        var lost = 0
        for place in trackers.indices {
            let client = plan.client(place / perClient, of: worker)
            let channel = plan.channel(of: client, place % perClient / plan.publishers)
            let publisher = place % plan.publishers
            // A peer's own client events do not come back.
            if plan.peersPublish, client / plan.channels == publisher { continue }
            lost += trackers[place].lost(sent: sent[channel * plan.publishers + publisher])
        }
        return lost
    }
}
