/// What one worker counted since it started; plain numbers, summed over workers for the report.
///
/// Large, because it has a number for each thing that is counted.
struct Counters: Sendable, Equatable {
    // Connections.
    var dialed = 0
    /// Greeted by the server.
    var established = 0
    /// Established and subscribed to all that was asked.
    var ready = 0
    /// Refused, or closed before they were ready.
    var failedDials = 0
    /// Closed by the server or the network after they were ready.
    var lostConnections = 0

    // Events.
    /// Events sent, and those the server took (client events are not acknowledged and count at once).
    var published = 0
    var accepted = 0
    var rejected = 0
    /// API calls answered with 2xx.
    var replies = 0
    /// API calls under way.
    var calls = 0
    /// Deliveries that the events sent so far must cause, and those that came.
    var expected = 0
    var deliveries = 0
    /// Expected of events the server did not take.
    var excused = 0
    var duplicated = 0
    var reordered = 0
    /// Sent more than a millisecond after their time by our own fault; and because all connections were waiting for the server.
    var late = 0
    var queued = 0

    // Memberships.
    var joins = 0
    var leaves = 0
    /// `member_added` and `member_removed` frames.
    var memberFrames = 0

    // Beside the load.
    /// Probe connections that were greeted, and those that failed.
    var probes = 0
    var failedProbes = 0
    var pings = 0
    var pongs = 0

    // Trouble.
    /// `pusher:error` and `pusher:subscription_error` frames.
    var errorFrames = 0
    /// Frames that are nothing we know.
    var otherFrames = 0

    // Costs.
    var bytesIn = 0
    var bytesOut = 0
    /// Processor time of the worker's thread, in nanoseconds.
    var processorNanoseconds: UInt64 = 0

    /// Deliveries that the events sent so far must still cause.
    var outstanding: Int { expected - excused - deliveries }

    static func + (a: Self, b: Self) -> Self { a.combined(b, &+) }
    static func - (a: Self, b: Self) -> Self { a.combined(b, &-) }

    private func combined(_ other: Self, _ operation: (Int, Int) -> Int) -> Self {
        var out = self
        for path in Self.numbers { out[keyPath: path] = operation(self[keyPath: path], other[keyPath: path]) }
        out.processorNanoseconds = UInt64(
            bitPattern: Int64(
                operation(
                    Int(bitPattern: UInt(processorNanoseconds)), Int(bitPattern: UInt(other.processorNanoseconds)))))
        return out
    }

    // SAFETY: key paths to stored properties of a plain struct are immutable values.
    nonisolated(unsafe) private static let numbers: [WritableKeyPath<Counters, Int>] = [
        \.dialed, \.established, \.ready, \.failedDials, \.lostConnections, \.published, \.accepted, \.rejected,
        \.replies, \.calls, \.expected, \.deliveries, \.excused, \.duplicated, \.reordered, \.late, \.queued, \.joins,
        \.leaves, \.probes, \.failedProbes, \.pings, \.pongs, \.memberFrames, \.errorFrames,
        \.otherFrames, \.bytesIn, \.bytesOut,
    ]
}
