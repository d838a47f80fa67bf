internal import Reactor

/// What the conductor tells a worker.
enum WorkerCommand: Sendable {
    /// Connect all clients of this worker, at most so many handshakes under way; a rate of 0 is as fast as that allows.
    case dial(ratePerSecond: Double, window: Int)
    case dialPublishers(count: Int)
    /// Close every client connection at once.
    case hangUp
    case publish(Timetable)
    case sendClientEvents(Timetable)
    case query(Timetable, path: String, info: String)
    case changeMembership(MembershipJob)
    case probe(Probes)
    case ping(Pinging)
    /// When arrivals count for the result; whom to wake when deliveries came in.
    case measure(from: UInt64, to: UInt64, wake: [LoopHandle])
    /// Put the next sequence number of each (channel, publisher) into the mailbox.
    case tellSequences
    /// Compare what came with what was sent: the next sequence number of each (channel, publisher).
    case verify(sent: [UInt32])
    case forget
    case stop
}
