internal import Glibc
internal import Reactor

/// Listeners that a supervisor has opened and gives with the start (sd_listen_fds(3)): `LISTEN_FDS` descriptors from 3 on, named by
/// `LISTEN_FDNAMES`; `tls` and `metrics` are what they say, any other name is the broker's port. Where they listen is the supervisor's to say.
struct SocketActivation: Equatable {
    struct Given: Equatable {
        var descriptor: CInt
        var name: String
        var role: ListenerRole
    }

    /// What is wrong, as a sentence.
    struct Fault: Error, Equatable { var text: String }

    let given: [Given]

    private static let firstDescriptor: CInt = 3
    /// More than any unit has.
    private static let countMax = 256
    static let variables = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]

    /// - Parameter variable: looks a variable up.
    /// - Throws: when there is no telling what was given.
    init(process: pid_t, variable: (String) -> String?) throws(Fault) {
        // Of another process: it was this one's parent, and inherited by mistake.
        guard let count = variable("LISTEN_FDS"), variable("LISTEN_PID") == String(process) else {
            given = []
            return
        }
        guard let count = Int(count), (0...Self.countMax).contains(count) else {
            throw Fault(text: "LISTEN_FDS is no number from 0 to \(Self.countMax)")
        }
        let names = variable("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        guard names.isEmpty || names.count == count else {
            throw Fault(text: "LISTEN_FDNAMES has \(names.count) names for \(count) descriptors")
        }
        given = (0..<count).map { index in
            let name = index < names.count ? String(names[index]) : "unknown"
            return Given(
                descriptor: Self.firstDescriptor + CInt(index), name: name, role: Self.role(of: name))
        }
    }

    private static func role(of name: String) -> ListenerRole {
        // systemd names a socket by its unit unless FileDescriptorName= says otherwise.
        switch name.hasSuffix(".socket") ? String(name.dropLast(7)) : name {
        case "tls", "starling-tls": .tls
        case "metrics", "starling-metrics": .metrics
        default: .main
        }
    }

    /// Takes what this process was given. The variables go, so that no child believes they are its own.
    static func take() throws(Fault) -> InheritedListeners {
        let activation = try SocketActivation(process: getpid()) { name in getenv(name).map { String(cString: $0) } }
        for name in variables { unsetenv(name) }
        var all: [InheritedListeners.One] = []
        for one in activation.given {
            do throws(IOError) {
                let listener = try Listener(inherited: one.descriptor)
                let host = listener.place
                all.append(.init(role: one.role, host: host, isGiven: true, box: ListenerBox(listener)))
            } catch {
                throw Fault(
                    text: "descriptor \(one.descriptor) of LISTEN_FDS (\(one.name)) is no listening stream socket")
            }
        }
        return InheritedListeners(all)
    }
}
