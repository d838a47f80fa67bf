internal import Configuration
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import TLS

/// The listeners of all loops: bound here or inherited, handed to the loops' threads, and known by their numbers for whoever takes over.
final class Listening: Sendable {
    /// Sockets on one address.
    struct Place {
        let role: ListenerRole
        let kind: ListenerKind
        /// As `InheritedListeners.One`.
        let host: String
        let isGiven: Bool
        let boxes: [ListenerBox]
        var isUnix: Bool { host.hasPrefix(ListenAddress.unixMark) }
        var port: UInt16 { boxes.first?.port ?? 0 }
    }

    let places: [Place]
    private let loopCount: Int
    /// Addresses that are really listened on, without Unix sockets.
    let hosts: [String]
    /// The same on all of them; the kernel's choice when the settings said 0, and 0 when there are only Unix sockets.
    let port: UInt16
    /// Has TLS alone; nil: there is none.
    let tlsPort: UInt16?

    /// Binds the addresses of a plan once for each loop, and for TLS once more if it has a port of its own; as far as they are not open yet.
    init(
        _ plan: ListenPlan, port wanted: UInt16, tls: TLSSettings, loops: Int, _ inherited: inout InheritedListeners
    ) throws(IOError) {
        loopCount = max(1, loops)
        let found =
            inherited.areGiven
            ? Self.given(tls, &inherited) : try Self.bind(plan, wanted, tls, loops: max(1, loops), &inherited)
        places = found
        let main = found.filter { $0.role == .main && !$0.isUnix }
        hosts = main.map(\.host)
        port = main.first?.port ?? 0
        tlsPort = found.first { $0.role == .tls && !$0.isUnix }?.port
    }

    // MARK: Finding them

    private static func given(_ tls: TLSSettings, _ inherited: inout InheritedListeners) -> [Place] {
        let secured = inherited.takeGiven(.tls)
        let kind: ListenerKind = !tls.isOn ? .plain : tls.isOnly ? .secured : secured.isEmpty ? .both : .plain
        let main = inherited.takeGiven(.main).map { ($0, kind) }
        return (main + secured.map { ($0, .secured) }).map { one, kind in
            Place(role: one.role, kind: kind, host: one.host, isGiven: true, boxes: [one.box])
        }
    }

    private static func bind(
        _ plan: ListenPlan, _ wanted: UInt16, _ tls: TLSSettings, loops: Int, _ inherited: inout InheritedListeners
    ) throws(IOError) -> [Place] {
        let kind: ListenerKind =
            !tls.isOn ? .plain : tls.isOnly ? .secured : tls.port == nil ? .both : .plain
        var places = try bind(plan, wanted, .main, kind, loops: loops, &inherited)
        if tls.isOn, let wanted = tls.port {
            places += try bind(plan, wanted, .tls, .secured, loops: loops, &inherited)
        }
        for one in plan.paths {
            var boxes = inherited.take(.main, one.name, port: 0)
            if boxes.isEmpty {
                boxes = [ListenerBox(try Listener(path: one.path, mode: one.mode, backlog: backlog))]
            }
            places.append(Place(role: .main, kind: kind, host: one.name, isGiven: false, boxes: boxes))
        }
        return places
    }

    private static func bind(
        _ plan: ListenPlan, _ wanted: UInt16, _ role: ListenerRole, _ kind: ListenerKind, loops: Int,
        _ inherited: inout InheritedListeners
    ) throws(IOError) -> [Place] {
        var left = inherited
        defer { inherited = left }
        let bound = try plan.bind(port: wanted) { (host: String, port: UInt16) throws(IOError) in
            let inherited = left.take(role, host, port: port)
            if let first = inherited.first { return (socket: inherited, port: first.port) }
            let boxes = try open(host, port, loops: loops)
            return (socket: boxes, port: boxes[0].port)
        }
        for one in bound.missing {
            Log.warning("not listening on an address", ("address", one.host), ("reason", one.error.description))
        }
        return bound.sockets.map { Place(role: role, kind: kind, host: $0.host, isGiven: false, boxes: $0.socket) }
    }

    /// For each loop a socket on the same address.
    private static func open(_ host: String, _ port: UInt16, loops: Int) throws(IOError) -> [ListenerBox] {
        if port != 0 {
            // `SO_REUSEPORT` would let a second broker share the port of a first one in silence, so the first try goes without.
            _ = try Listener(host: host, port: port, reusePort: false, backlog: 1)
        }
        var boxes = [ListenerBox(try Listener(host: host, port: port, reusePort: true, backlog: backlog))]
        for _ in 1..<loops {
            boxes.append(
                ListenerBox(try Listener(host: host, port: boxes[0].port, reusePort: true, backlog: backlog)))
        }
        return boxes
    }

    /// Connections the kernel holds before `accept`.
    private static let backlog = 4_096

    // MARK: Serving

    /// The first byte of a TLS record with a ClientHello (RFC 8446 §5.1).
    private static let tlsHandshake: UInt8 = 0x16

    /// Gives one loop its listeners.
    /// - Parameters:
    ///   - handles: all loops, by number.
    ///   - preamble: reads PROXY headers; nil: there are none.
    func serve(on loop: EventLoop, number: Int, _ handles: [LoopHandle], _ room: TLSRoom?, preamble: (any Preamble)?) {
        for place in places {
            let share = ListenerShare(sockets: place.boxes.count, loops: loopCount)
            let isLayered = place.kind != .plain && room != nil
            let (tag, byte) = (place.kind.rawValue, isLayered ? Self.tlsHandshake : nil)
            let makeLayer: (() -> (any RecordLayer)?)? = isLayered ? { room?.accept() } : nil
            if share.isDealt { loop.expectDealt(tag: tag, layerByte: byte, preamble: preamble, makeLayer: makeLayer) }
            for (box, owner) in zip(place.boxes, share.loops) where owner == number {
                guard let listener = box.take() else { continue }
                loop.listen(
                    on: listener, tag: tag, layerByte: byte, dealingTo: share.isDealt ? handles : nil,
                    preamble: preamble, makeLayer: makeLayer)
            }
        }
    }

    /// Connections of some listener go from loop to loop before they begin.
    var isDealing: Bool {
        places.contains { ListenerShare(sockets: $0.boxes.count, loops: loopCount).isDealt }
    }

    /// A supervisor has the listeners too, and what waits in them is for whom it starts next.
    var areGiven: Bool { places.contains(where: \.isGiven) }

    /// Removes the files of Unix sockets.
    func removeFiles() {
        for place in places where !place.isGiven { for box in place.boxes { box.file?.remove() } }
    }

    /// To be handed to another process, as long as the loops here serve them.
    var handed: [(TakeoverTalk.Handed, CInt)] {
        places.flatMap { place in
            place.boxes.map { box in
                InheritedListeners.One(role: place.role, host: place.host, isGiven: place.isGiven, box: box).handed
            }
        }
    }

    // MARK: For people

    /// `127.0.0.1:6001`, `[::1]:6001`, `unix:/run/starling.sock`; a listener on `::` takes IPv4 too.
    var addresses: [String] {
        hosts.isEmpty ? paths : addresses(port) + paths
    }

    private var paths: [String] { places.filter(\.isUnix).map(\.host) }

    func addresses(_ port: UInt16) -> [String] {
        let bound: [String] = hosts.flatMap { (host: String) -> [String] in host == "::" ? ["::", "0.0.0.0"] : [host] }
        return bound.map { $0.contains(":") ? "[\($0)]:\(port)" : "\($0):\(port)" }
    }
}
