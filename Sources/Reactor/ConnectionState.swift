/// What the loop knows of one connection: 96 bytes in a dense array, no object, no buffer while idle.
struct ConnectionState {
    struct Flags: OptionSet {
        let rawValue: UInt16
        /// The descriptor is open and events are served.
        static let open = Flags(rawValue: 1)
        static let readPaused = Flags(rawValue: 2)
        /// The peer's FIN was read.
        static let endSeen = Flags(rawValue: 4)
        /// `finish` was called: input is discarded, the timer is the linger deadline.
        static let finishing = Flags(rawValue: 8)
        /// Our FIN was sent.
        static let shutDown = Flags(rawValue: 16)
        /// `finish` came while frames of this turn were queued: they still go out, later ones do not.
        static let sealed = Flags(rawValue: 32)
        static let overflowed = Flags(rawValue: 64)
        /// `backlog` is not nil; here too, so that a flush asks one word whether it may go straight to the socket.
        static let backlogged = Flags(rawValue: 128)
        /// Its bytes pass a `RecordLayer`.
        static let secured = Flags(rawValue: 256)
        /// The handler was told of it (`opened`), and is told of its end.
        static let announced = Flags(rawValue: 512)
        /// Answers are among this turn's frames.
        static let answered = Flags(rawValue: 1_024)
    }

    /// Offset that stands for "not known" in `backlogBoundary`.
    static let noBoundary = UInt32.max

    var input: UnsafeMutablePointer<UInt8>?
    /// Unsent bytes: backlog[backlogHead..<backlogEnd].
    var backlog: UnsafeMutablePointer<UInt8>?
    /// Its layer; nil: plain.
    var transport: Unmanaged<SecureTransport>?
    var inputCount: UInt32 = 0
    var inputCapacity: UInt32 = 0
    var inputBytesMax: UInt32 = 0
    var backlogHead: UInt32 = 0
    var backlogEnd: UInt32 = 0
    var backlogCapacity: UInt32 = 0
    /// The start of some message in the backlog, at or after the head when it was stored (walked on when needed).
    var backlogBoundary: UInt32 = 0
    /// Backlog bytes the kernel has taken in all, wrapping; and that number as it will be when the last answer is among them.
    var drained: UInt32 = 0
    var answerMark: UInt32 = 0
    var descriptor: CInt = -1
    var generation: UInt32 = 0
    /// When the timer is due, in ticks; 0: disarmed.
    var deadlineTick: UInt32 = 0
    /// The wheel tick the slot is filed under; 0: not filed.
    var filedTick: UInt32 = 0
    /// The tick at which the kernel last took something of the backlog, or at which it began.
    var movedTick: UInt32 = 0
    /// Its neighbours in the ring of those with as large a backlog; valid while it is in one.
    var previousOffender: UInt32 = 0
    var nextOffender: UInt32 = 0
    /// Events asked of epoll.
    var interest: UInt32 = 0
    var flags: Flags = []

    /// Whether answers are in the backlog.
    var owesAnswers: Bool { backlog != nil && Int32(bitPattern: answerMark &- drained) > 0 }
    var backlogCount: Int { Int(backlogEnd - backlogHead) }
    func isOpen() -> Bool { flags.contains(.open) }
}
