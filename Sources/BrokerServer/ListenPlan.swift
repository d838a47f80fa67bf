internal import Configuration
internal import Glibc
internal import Reactor

/// Which addresses to listen on, and what may be missing of them.
///
///     host     the built-in app, no container   otherwise
///     auto     127.0.0.1 and ::1                ::, which takes IPv4 too; else 0.0.0.0
///     localhost                    127.0.0.1 and ::1
///     another                      that one
struct ListenPlan: Equatable {
    /// Bound one by one.
    let hosts: [String]
    /// Tried when none of `hosts` can be bound.
    let fallback: [String]
    /// A host whose address family this machine lacks is left out, as long as another can be bound.
    let mayLeaveOut: Bool

    init(host: String, isDefaultApp: Bool, isContainer: Bool) {
        switch host {
        case "localhost": self.init(hosts: Self.loopback, fallback: [], mayLeaveOut: true)
        // Credentials that everybody knows are for this machine alone; a container's loopback would be nobody's.
        case ServerSettings.automaticHost where isDefaultApp && !isContainer:
            self.init(hosts: Self.loopback, fallback: [], mayLeaveOut: true)
        case ServerSettings.automaticHost: self.init(hosts: ["::"], fallback: ["0.0.0.0"], mayLeaveOut: true)
        default: self.init(hosts: [host], fallback: [], mayLeaveOut: false)
        }
    }

    private init(hosts: [String], fallback: [String], mayLeaveOut: Bool) {
        (self.hosts, self.fallback, self.mayLeaveOut) = (hosts, fallback, mayLeaveOut)
    }

    private static let loopback = ["127.0.0.1", "::1"]

    /// Only this machine can connect.
    var isLoopback: Bool { hosts.allSatisfy { PeerAddress.parse(host: $0)?.isLoopback == true } }

    /// For people.
    var text: String { hosts.joined(separator: " and ") }

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
            do throws(IOError) { return try bind(hosts, port: wanted, listen) } catch {
                tries -= 1
                if tries > 0, Self.isTaken(error) { continue }
                guard !fallback.isEmpty, Self.isMissing(error) else { throw error }
                var bound = try bind(fallback, port: wanted, listen)
                bound.missing = hosts.map { ($0, error) }
                return bound
            }
        }
    }

    private func bind<Socket>(
        _ hosts: [String], port wanted: UInt16,
        _ listen: (String, UInt16) throws(IOError) -> (socket: Socket, port: UInt16)
    ) throws(IOError) -> Bound<Socket> {
        var bound = Bound<Socket>(port: wanted)
        for host in hosts {
            do throws(IOError) {
                let one = try listen(host, bound.port)
                bound.sockets.append((host, one.socket))
                bound.port = one.port
            } catch {
                guard mayLeaveOut, Self.isMissing(error) else { throw error }
                bound.missing.append((host, error))
            }
        }
        if bound.sockets.isEmpty, let first = bound.missing.first { throw first.error }
        return bound
    }

    /// The machine has no such address or no such family: IPv6 may be switched off in several ways.
    private static func isMissing(_ error: IOError) -> Bool {
        error.isResolution || [EAFNOSUPPORT, EADDRNOTAVAIL, EPROTONOSUPPORT, EINVAL].contains(error.code)
    }

    static func isTaken(_ error: IOError) -> Bool { !error.isResolution && error.code == EADDRINUSE }
}
