internal import Reactor

/// A worker among all of a run: what it shares with the others.
struct Team {
    let mailboxes: [WorkerMailbox]
    let number: Int
    /// Whom to wake when deliveries came in: publishers of a closed loop.
    var publishers: [LoopHandle] = []

    init(_ mailboxes: [WorkerMailbox], number: Int) { (self.mailboxes, self.number) = (mailboxes, number) }

    var mailbox: WorkerMailbox { mailboxes[number] }

    /// Deliveries that events sent so far must still cause, over all workers; `own` are not published yet.
    func outstanding(_ own: Counters) -> Int {
        var sum = own.outstanding
        for (index, other) in mailboxes.enumerated() where index != number { sum += other.counters.outstanding }
        return sum
    }

    /// Publishes what was counted.
    func tell(_ counters: Counters) {
        let hasMore = counters.deliveries != mailbox.counters.deliveries
        mailbox.counters = counters
        if hasMore { for handle in publishers { handle.wake() } }
    }
}
