internal import Telemetry

/// Sizes and bounds of one loop.
///
/// Large, because it has a field for each bound.
public struct LoopOptions: Sendable {
    /// The one buffer every connection's bytes are received into; also the most one connection may read in a turn.
    public var receiveBufferBytes = 256 * 1_024
    /// Unsent bytes one connection may still have when the frames of a later turn come, before it overflows; more if the handler says so
    /// (`LoopHandler.backlogAllowance`). The frames of a turn are offered to the kernel before that is decided, and are not counted
    /// themselves, so that a burst or a single message larger than the limit can be delivered.
    public var backlogBytesMax = 1_024 * 1_024
    /// The memory of the backlogs of all loops that are made from these options or a copy of them.
    public var backlogs = BacklogLedger(limitBytes: 128 * 1_024 * 1_024)
    /// Overflows the handler is told of per turn.
    public var overflowsPerTurn = 64
    /// Unconsumed input one connection may have, unless `inputLimit` says otherwise.
    public var inputBytesMax = 128 * 1_024
    /// Unconsumed input of all connections of the process, by the capacity of their buffers; loops of one process share it.
    public var inputBudget = ProcessBudget()
    /// What a connection's input buffer may have although the budget is used up.
    public var inputGraceBytes = 4 * 1_024
    /// Connections accepted per listener and turn.
    public var acceptsPerTurn = 64
    /// Ended streams the handler is told of per turn.
    public var endsPerTurn = 64
    /// Connections that may close or end in a turn, and frames that its events may be answered with, before the rest of the events waits for the next:
    /// when thousands are reset or subscribe at once, deliveries go out between.
    public var closesPerTurn = 128
    public var answersPerTurn = 1_024
    /// How long a turn serves events, or inputs that were left, at least, before the rest waits for the next: what a connection asks for may take
    /// long (`EventLoop.serveNanoseconds`).
    /// The clock is looked at after so many events, or so many bytes of them.
    public var serveNanoseconds: UInt64 = 1_500_000
    public var eventsPerLook = 16
    public var bytesPerLook: UInt64 = 8 * 1_024
    /// Events taken from the kernel at once.
    public var eventsPerTurn = 1_024
    /// Arena bytes after which a turn is flushed early, between two events.
    public var arenaBytesSoftMax = 4 * 1_024 * 1_024
    /// Connections a turn flushes, besides those that were answered in it and four for each event, but no more than twice as many: the rest
    /// wait for the next turn, so that others are served between.
    public var sendsPerTurn = 256
    /// How long the handshake of a connection's layer may take, and the preamble before it.
    public var handshakeMilliseconds: UInt32 = 5_000
    /// A client whose descriptor has this number or a higher one is refused. The kernel gives away the lowest free number, so what is left below
    /// the process's limit stays free for files, and for those who are refused: a reserve that is given up to refuse somebody is taken by
    /// another loop's client before it can be opened again.
    public var clientDescriptorsEnd = CInt.max
    /// What a client is told when the process has no descriptor for it; behind a layer nothing is said.
    public var refusal: [UInt8] = []
    /// The length of the message that starts with these bytes of our own output, or nil when its end cannot be told from them. A backlog that is
    /// cut short is cut between messages; without an answer it is kept whole.
    ///
    /// Here and not in `LoopHandler`, because it is asked in the midst of a flush, or of a call the handler makes.
    public var messageLength: @Sendable (UnsafeBufferPointer<UInt8>) -> Int? = { _ in nil }
    /// TCP_USER_TIMEOUT: how long bytes may stay unacknowledged.
    public var userTimeoutMilliseconds: UInt32 = 30_000
    /// TCP_NOTSENT_LOWAT: unsent bytes the kernel holds per connection, so that a slow peer's queue stands in our accounted backlog and
    /// not in kernel memory, which no limit of ours bounds. 0 leaves it to the kernel.
    public var unsentLowBytes: Int32 = 16 * 1_024
    /// SO_SNDBUF and SO_RCVBUF of accepted connections, which the kernel doubles for its own needs: left to itself (0) it grows them to megabytes
    /// for whoever was fast once, and they stay full when he does not acknowledge, or is not read, any more.
    public var kernelSendBytes: Int32 = 0
    public var kernelReceiveBytes: Int32 = 0

    public init() {}
}

/// What a loop did since it was made; plain numbers, read on the loop's thread only.
///
/// Large, because it has a number for each thing that is counted.
public struct LoopStatistics: Sendable, Equatable {
    public var turns: UInt64 = 0
    /// Times the loop was woken by its eventfd.
    public var wakeups: UInt64 = 0
    public var accepted: UInt64 = 0
    /// Connections refused and closed because descriptors ran out.
    public var acceptsRefused: UInt64 = 0
    /// Failed accepts of any kind.
    public var acceptErrors: UInt64 = 0
    /// Milliseconds the loop rested because it got nowhere (`BarrenTurns`).
    public var rests: UInt64 = 0
    /// Of the process: how often the kernel had no memory for a socket's bytes, by the last tick.
    public var shortages: UInt64 = 0
    public var closed: UInt64 = 0
    /// Connections whose layer's handshake was done; and those closed because it failed or took too long.
    public var handshakes: UInt64 = 0
    public var handshakesFailed: UInt64 = 0
    /// Preambles that were read whole.
    public var preambles: UInt64 = 0
    /// Events for a connection that was already gone.
    public var staleEvents: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    public var receives: UInt64 = 0
    public var sends: UInt64 = 0
    /// Sends the kernel took only in part or not at all.
    public var shortWrites: UInt64 = 0
    public var overflows: UInt64 = 0
    /// Those of them that went because the backlogs of the process held too much.
    public var overflowsOfProcess: UInt64 = 0
    /// And because the memory of the process was short.
    public var overflowsOfMemory: UInt64 = 0
    public var timersFired: UInt64 = 0
    /// Frames written into the arena, and (frame, connection) pairs queued and flushed.
    public var frames: UInt64 = 0
    public var flushedConnections: UInt64 = 0
    /// Now: unsent bytes held for slow peers, and unconsumed input bytes held.
    public var backlogBytes: Int = 0
    /// Now: the memory that is held for them.
    public var backlogMemoryBytes: Int = 0
    public var inputBytes: Int = 0
    /// Now: open connections, and those of them whose layer's handshake is done.
    public var connections: Int = 0
    public var secured: Int = 0

    public init() {}

    /// Says so once per period when the kernel had no memory for what we wanted to send or receive: it is tried again.
    mutating func noteShortages(_ count: UInt64) {
        guard count != shortages else { return }
        shortages = count
        Log.logOncePer(seconds: 10, .warning, "the kernel has no memory for sockets", ("times", count))
    }
}
