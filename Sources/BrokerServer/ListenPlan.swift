internal import Configuration
internal import Glibc
internal import Reactor

/// Which addresses to listen on, and what may be missing of them. Each host of the settings is a part:
///
///     host     the built-in app, no container   otherwise
///     auto     127.0.0.1 and ::1                ::, which takes IPv4 too; else 0.0.0.0
///     localhost                    127.0.0.1 and ::1
///     another                      that one
///     unix:/…                      a socket file, for all loops together
///
/// An address that another part has already (`::` has all, `0.0.0.0` those of IPv4) is left out.
struct ListenPlan: Equatable {
    struct Part: Equatable {
        /// Bound one by one.
        var hosts: [String]
        /// Tried when none of `hosts` can be bound.
        var fallback: [String] = []
        /// A host whose address family this machine lacks is left out, as long as another can be bound.
        var mayLeaveOut = true
    }

    struct SocketPath: Equatable {
        var path: String
        var mode: UInt32
        /// As the log and the next process know it.
        var name: String { ListenAddress.unixMark + path }
    }

    private(set) var parts: [Part] = []
    private(set) var paths: [SocketPath] = []

    init(hosts: [String], isDefaultApp: Bool, isContainer: Bool) {
        let isLocal = isDefaultApp && !isContainer
        for host in hosts {
            switch ListenAddress(host) {
            case .unix(let path, let mode): paths.append(SocketPath(path: path, mode: mode))
            case .host("localhost"): add(Part(hosts: Self.loopback))
            // Credentials that everybody knows are for this machine alone; a container's loopback would be nobody's.
            case .host(ServerSettings.automaticHost) where isLocal: add(Part(hosts: Self.loopback))
            case .host(ServerSettings.automaticHost): add(Part(hosts: ["::"], fallback: ["0.0.0.0"]))
            case .host(let other): add(Part(hosts: [other], mayLeaveOut: false))
            }
        }
        dropCovered()
    }

    private static let loopback = ["127.0.0.1", "::1"]
    private static let everywhere = "::"
    private static let everywhereIPv4 = "0.0.0.0"

    /// No address twice.
    private mutating func add(_ part: Part) {
        var part = part
        part.hosts.removeAll { hosts.contains($0) }
        if !part.hosts.isEmpty { parts.append(part) }
    }

    private mutating func dropCovered() {
        let all = hosts
        let (isEverywhere, isEverywhereIPv4) = (all.contains(Self.everywhere), all.contains(Self.everywhereIPv4))
        for index in parts.indices {
            // Who asks for both has said what to do without IPv6.
            if isEverywhereIPv4, parts[index].hosts == [Self.everywhere] {
                parts[index] = Part(hosts: [Self.everywhere], fallback: [Self.everywhereIPv4])
            }
            parts[index].hosts.removeAll { host in
                guard host != Self.everywhere, let address = PeerAddress.parse(host: host) else { return false }
                return isEverywhere || isEverywhereIPv4 && host != Self.everywhereIPv4 && address.family == .ipv4
            }
        }
        parts.removeAll(where: \.hosts.isEmpty)
    }

    /// Addresses and names, without the paths.
    var hosts: [String] { parts.flatMap(\.hosts) }

    /// Only this machine can connect.
    var isLoopback: Bool { hosts.allSatisfy { PeerAddress.parse(host: $0)?.isLoopback == true } }

    /// For people.
    var text: String { (hosts + paths.map(\.name)).joined(separator: " and ") }

    // MARK: Binding

    /// What was bound.
    struct Bound<Socket> {
        var sockets: [(host: String, socket: Socket)] = []
        /// The same for all of them.
        var port: UInt16
        var missing: [(host: String, error: IOError)] = []
    }

    private static let portTries = 16

    /// Binds every host to one port.
    /// - Parameters:
    ///   - wanted: 0 lets the first host's kernel choose; another choice is made when it is taken on a later host.
    ///   - listen: binds one host and tells the port.
    func bind<Socket>(
        port wanted: UInt16, _ listen: (String, UInt16) throws(IOError) -> (socket: Socket, port: UInt16)
    ) throws(IOError) -> Bound<Socket> {
        var tries = wanted == 0 ? Self.portTries : 1
        while true {
            var bound = Bound<Socket>(port: wanted)
            do throws(IOError) {
                for part in parts { try Self.bind(part, &bound, listen) }
                return bound
            } catch {
                tries -= 1
                guard tries > 0, Self.isTaken(error) else { throw error }
            }
        }
    }

    private static func bind<Socket>(
        _ part: Part, _ bound: inout Bound<Socket>,
        _ listen: (String, UInt16) throws(IOError) -> (socket: Socket, port: UInt16)
    ) throws(IOError) {
        do throws(IOError) {
            try bind(part.hosts, mayLeaveOut: part.mayLeaveOut, &bound, listen)
        } catch {
            guard !part.fallback.isEmpty, isMissing(error) else { throw error }
            try bind(part.fallback, mayLeaveOut: part.mayLeaveOut, &bound, listen)
            bound.missing += part.hosts.map { ($0, error) }
        }
    }

    private static func bind<Socket>(
        _ hosts: [String], mayLeaveOut: Bool, _ bound: inout Bound<Socket>,
        _ listen: (String, UInt16) throws(IOError) -> (socket: Socket, port: UInt16)
    ) throws(IOError) {
        var missing: [(host: String, error: IOError)] = []
        for host in hosts {
            do throws(IOError) {
                let one = try listen(host, bound.port)
                bound.sockets.append((host, one.socket))
                bound.port = one.port
            } catch {
                guard mayLeaveOut, isMissing(error) else { throw error }
                missing.append((host, error))
            }
        }
        if missing.count == hosts.count, let first = missing.first { throw first.error }
        bound.missing += missing
    }

    /// The machine has no such address or no such family: IPv6 may be switched off in several ways.
    private static func isMissing(_ error: IOError) -> Bool {
        error.isResolution || [EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT, EINVAL].contains(error.code)
    }

    static func isTaken(_ error: IOError) -> Bool { !error.isResolution && error.code == EADDRINUSE }
}
