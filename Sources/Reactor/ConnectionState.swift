/// What the loop knows of one connection: 96 bytes in a dense array, no object, no buffer while idle. (Twenty fields in one record, because
/// a flush or an event touches one or two cache lines of it, and a second table would be a second line.)
///
/// A connection's life; who moves it stands at the arrow, the flags that are set in brackets.
///
/// ```
///  free ──accept, adopt, connect──▶ open ──at once; at its first byte or preamble [undecided]; or its layer's handshake──▶ served [announced]
///   ▲                                 │                                            │
///   │                                 │    handler: finish (in good order), finishWithFrame (last words instead of the backlog)
///   │                                 │    peer's FIN [endSeen] ──endOfStream──▶ handler: finish
///   │                                 │    flush: owes too much [overflowed] ──overflowed──▶ handler: finishWithFrame or abort
///   │                                 │                                            ▼
///   │                                 │                 finishing [finishing; sealed: frames of this turn still go out]
///   │                                 │                    all is with the kernel ──▶ layer's goodbye, our FIN [shutDown]
///   │                                 │                                            │
///   │             deadline, bad record, peer gone        peer's FIN, linger time over, error; from every state: handler: abort
///   │                                 ▼                                            ▼
/// resting ◀──`closed` was delivered (retire)── closed: descriptor closed, generation + 1, takes no frames (close, kill)
///   (endRest: no list of an unfinished flush names the slot any more)
/// ```
/// The handler's verbs are `finish`, `finishWithFrame` and `abort`; `close` is the loop's own, with the reason; `kill`, `retire` and `endRest`
/// are the three steps by which the table takes a number back.
///
/// Large, because whatever a flush or a read looks at lies in one or two cache lines; who owns which field stands beside it.
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
        /// Its owner made it and knows its slot (`adopt`, `connect`), so that its end is told although it was never opened.
        static let adopted = Flags(rawValue: 2_048)
        /// Answers are among this turn's frames.
        static let answered = Flags(rawValue: 1_024)
        /// Its first byte is awaited, which tells whether it gets a layer; it is `readPaused` so long.
        static let undecided = Flags(rawValue: 4_096)
        /// `undecided`, and there is no place for its handshake: it is not read.
        static let waiting = Flags(rawValue: 8_192)
        /// `undecided`, and a preamble comes first.
        static let prefaced = Flags(rawValue: 16_384)
        /// Its preamble said that its bytes passed a layer on their way.
        static let vouched = Flags(rawValue: 32_768)
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
    /// The wheel tick the slot is filed under; 0: not filed. The slot's, not the connection's: its next one takes it over.
    var filedTick: UInt32 = 0
    /// The tick at which the kernel last took something of the backlog, or at which it began.
    var movedTick: UInt32 = 0
    /// Its neighbours in the ring of those with as large a backlog; valid while it is in one.
    var previousOffender: UInt32 = 0
    var nextOffender: UInt32 = 0
    /// Events asked of epoll.
    var interest: UInt32 = 0
    var flags: Flags = []
    /// While `undecided`: who accepted it.
    var listener: UInt16 = 0

    /// While `undecided`: when it was accepted, among the others. In the place of a field that nobody has a use for so early.
    var acceptNumber: UInt32 {
        get { answerMark }
        set { answerMark = newValue }
    }

    /// Whether answers are in the backlog.
    var owesAnswers: Bool { backlog != nil && Int32(bitPattern: answerMark &- drained) > 0 }
    var backlogCount: Int { Int(backlogEnd - backlogHead) }
    func isOpen() -> Bool { flags.contains(.open) }
}
