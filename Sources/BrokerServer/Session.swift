internal import BrokerCore
internal import Reactor
internal import Wire

/// What the server keeps of one client besides the broker's record: where it is in its life, and the machines that read and watch it.
///
/// `http → webSocket → ending`; an API connection stays in `http` until it ends. `SessionTable` holds one for each slot. The machines stand
/// beside the phase and not in it, because a payload of an enum cannot be changed in place.
struct Session {
    enum Phase: UInt8 { case free, http, webSocket, ending }

    private(set) var phase = Phase.free
    /// What it has of its address. Changes through `AddressGate`.
    var place = AddressPlace.none
    /// While `http`.
    var reader = RequestReader()
    var deadline = RequestDeadline(now: 0)
    /// While `webSocket`.
    var receiver = WebSocketReceiver()
    var heartbeat = Heartbeat(now: 0)
    /// What the budget of unfinished input has given for `receiver.assembly`.
    var assemblyBytesHeld = 0
    var debt = AnswerDebt()
    /// Whom the log names: the TCP peer, or the client a trusted proxy speaks for.
    var peer = PeerAddress()
    /// Where what it does is counted, while `webSocket`: its app's numbers on this loop, which outlive it.
    private(set) var meter: UnsafeMutablePointer<AppMeter>?
    /// When it was upgraded, in seconds of the loop's clock.
    private(set) var beganSeconds: UInt32 = 0

    /// A slot that nobody has.
    init() {}

    /// A connection from its first moment, when it owes nothing: the clock of a request starts at its first byte.
    init(openedMilliseconds: UInt32, peer: PeerAddress) {
        self.peer = peer
        phase = .http
        deadline = RequestDeadline(now: openedMilliseconds)
    }

    /// A WebSocket client was let in.
    mutating func becomeWebSocket(milliseconds: UInt32, seconds: UInt32, meter: UnsafeMutablePointer<AppMeter>? = nil) {
        self.meter = meter
        phase = .webSocket
        heartbeat = Heartbeat(now: milliseconds)
        beganSeconds = seconds
    }

    /// Nothing that comes means anything any more, and nothing of it is held.
    /// - Returns: what the budget of unfinished input gets back.
    mutating func end() -> Int {
        defer { assemblyBytesHeld = 0 }
        phase = .ending
        (reader, receiver) = (RequestReader(), WebSocketReceiver())
        return assemblyBytesHeld
    }
}
