internal import Reactor
internal import Synchronization
internal import Telemetry

/// The bound listeners of all loops, handed to the loops' threads as plain values.
final class Listening: Sendable {
    /// A listener in a class, because an array holds no noncopyable values.
    private final class Box: Sendable {
        private let listener: Mutex<Listener?>
        init(_ listener: consuming Listener) { self.listener = Mutex(consume listener) }
        func take() -> Listener? { listener.withLock { $0.take() } }
    }

    /// For each loop one listener an address.
    private let waiting: Mutex<[[Box]]>
    /// Addresses that are really listened on.
    let hosts: [String]
    /// The same on all of them; the kernel's choice when the settings said 0.
    let port: UInt16

    /// Binds the addresses of a plan once for each loop.
    init(_ plan: ListenPlan, port wanted: UInt16, loops: Int) throws(IOError) {
        let bound = try plan.bind(port: wanted) { (host: String, port: UInt16) throws(IOError) in
            if port != 0 {
                // `SO_REUSEPORT` would let a second broker share the port of a first one in silence, so the first try goes without.
                _ = try Listener(host: host, port: port, reusePort: false, backlog: 1)
            }
            let listener = try Listener(host: host, port: port, reusePort: true, backlog: Self.backlog)
            let chosen = listener.port
            return (socket: Box(listener), port: chosen)
        }
        (hosts, port) = (bound.sockets.map(\.host), bound.port)
        var boxes = [bound.sockets.map(\.socket)]
        for _ in 1..<max(1, loops) {
            var own: [Box] = []
            for host in hosts {
                own.append(
                    Box(try Listener(host: host, port: bound.port, reusePort: true, backlog: Self.backlog)))
            }
            boxes.append(own)
        }
        waiting = Mutex(boxes)
        for one in bound.missing {
            Log.warning("not listening on an address", ("address", one.host), ("reason", one.error.description))
        }
    }

    /// Connections the kernel holds before `accept`.
    private static let backlog = 4_096

    /// Gives one loop its listeners.
    func serve(on loop: EventLoop) {
        let own = waiting.withLock { $0.popLast() } ?? []
        for (tag, box) in own.enumerated() {
            if let listener = box.take() { loop.listen(on: listener, tag: tag) }
        }
    }

    /// `127.0.0.1:6001`, `[::1]:6001`; a listener on `::` takes IPv4 too.
    var addresses: [String] {
        let bound: [String] = hosts.flatMap { (host: String) -> [String] in host == "::" ? ["::", "0.0.0.0"] : [host] }
        return bound.map { $0.contains(":") ? "[\($0)]:\(port)" : "\($0):\(port)" }
    }
}
