internal import Configuration
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import TLS

/// The bound listeners of all loops, handed to the loops' threads as plain values.
final class Listening: Sendable {
    /// A listener in a class, because an array holds no noncopyable values.
    private final class Box: Sendable {
        let kind: ListenerKind
        private let listener: Mutex<Listener?>
        init(_ listener: consuming Listener, _ kind: ListenerKind) {
            self.kind = kind
            self.listener = Mutex(consume listener)
        }
        func take() -> Listener? { listener.withLock { $0.take() } }
    }

    /// For each loop one listener an address and port.
    private let waiting: Mutex<[[Box]]>
    /// Addresses that are really listened on.
    let hosts: [String]
    /// The same on all of them; the kernel's choice when the settings said 0.
    let port: UInt16
    /// Has TLS alone; nil: there is none.
    let tlsPort: UInt16?

    /// Binds the addresses of a plan once for each loop, and for TLS once more if it has a port of its own.
    init(_ plan: ListenPlan, port wanted: UInt16, tls: TLSSettings, loops: Int) throws(IOError) {
        let kind: ListenerKind =
            !tls.isOn ? .plain : tls.isOnly ? .secured : tls.port == nil ? .both : .plain
        let bound = try Self.bind(plan, wanted, kind)
        var boxes = try Self.boxes(bound, kind, loops: loops)
        (hosts, port) = (bound.sockets.map(\.host), bound.port)
        if tls.isOn, let wanted = tls.port {
            let secured = try Self.bind(plan, wanted, .secured)
            for (loop, more) in try Self.boxes(secured, .secured, loops: loops).enumerated() { boxes[loop] += more }
            tlsPort = secured.port
        } else {
            tlsPort = nil
        }
        waiting = Mutex(boxes)
        for one in bound.missing {
            Log.warning("not listening on an address", ("address", one.host), ("reason", one.error.description))
        }
    }

    private static func bind(
        _ plan: ListenPlan, _ wanted: UInt16, _ kind: ListenerKind
    ) throws(IOError) -> ListenPlan.Bound<Box> {
        try plan.bind(port: wanted) { (host: String, port: UInt16) throws(IOError) in
            if port != 0 {
                // `SO_REUSEPORT` would let a second broker share the port of a first one in silence, so the first try goes without.
                _ = try Listener(host: host, port: port, reusePort: false, backlog: 1)
            }
            let listener = try Listener(host: host, port: port, reusePort: true, backlog: backlog)
            let chosen = listener.port
            return (socket: Box(listener, kind), port: chosen)
        }
    }

    /// The listeners of each loop: those that were bound, and more on the same addresses.
    private static func boxes(
        _ bound: ListenPlan.Bound<Box>, _ kind: ListenerKind, loops: Int
    ) throws(IOError) -> [[Box]] {
        var boxes = [bound.sockets.map(\.socket)]
        for _ in 1..<max(1, loops) {
            var own: [Box] = []
            for (host, _) in bound.sockets {
                own.append(
                    Box(try Listener(host: host, port: bound.port, reusePort: true, backlog: backlog), kind))
            }
            boxes.append(own)
        }
        return boxes
    }

    /// Connections the kernel holds before `accept`.
    private static let backlog = 4_096

    /// The first byte of a TLS record with a ClientHello (RFC 8446 §5.1).
    private static let tlsHandshake: UInt8 = 0x16

    /// Gives one loop its listeners.
    /// - Parameter preamble: reads PROXY headers; nil: there are none.
    func serve(on loop: EventLoop, _ room: TLSRoom?, preamble: (any Preamble)? = nil) {
        let own = waiting.withLock { $0.popLast() } ?? []
        for box in own {
            guard let listener = box.take() else { continue }
            if box.kind != .plain, let room {
                loop.listen(on: listener, tag: box.kind.rawValue, layerByte: Self.tlsHandshake, preamble: preamble) {
                    room.accept()
                }
            } else {
                loop.listen(on: listener, tag: box.kind.rawValue, preamble: preamble)
            }
        }
    }

    /// `127.0.0.1:6001`, `[::1]:6001`; a listener on `::` takes IPv4 too.
    var addresses: [String] { addresses(port) }

    func addresses(_ port: UInt16) -> [String] {
        let bound: [String] = hosts.flatMap { (host: String) -> [String] in host == "::" ? ["::", "0.0.0.0"] : [host] }
        return bound.map { $0.contains(":") ? "[\($0)]:\(port)" : "\($0):\(port)" }
    }
}
