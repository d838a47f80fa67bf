internal import Reactor
internal import Synchronization

/// A listener in a class, because an array holds no noncopyable values.
final class ListenerBox: Sendable {
    /// Of the listener; meant for whoever hands it on while a loop serves it.
    let descriptor: Int32
    let port: UInt16
    let file: SocketFile?
    private let listener: Mutex<Listener?>

    init(_ listener: consuming Listener) {
        (descriptor, port, file) = (listener.raw, listener.port, listener.file)
        self.listener = Mutex(consume listener)
    }

    func take() -> Listener? { listener.withLock { $0.take() } }
}

/// Listeners that other processes have opened for this one: a supervisor (`SocketActivation`), or the server that was here before
/// (`TakeoverRequest`). Who needs one takes it; those that nobody takes are closed with this value. At the start, main thread only.
struct InheritedListeners {
    struct One {
        var role: ListenerRole
        /// As the settings have it: `127.0.0.1`, `unix:/run/starling.sock`.
        var host: String
        /// It was given by a supervisor, which decides where it listens, and not the settings.
        var isGiven: Bool
        var box: ListenerBox

        /// To be handed to another process, as long as a loop here serves it.
        var handed: (TakeoverTalk.Handed, CInt) {
            (TakeoverTalk.Handed(role: role, isGiven: isGiven, port: box.port, host: host), box.descriptor)
        }
    }

    private(set) var waiting: [One] = []

    init(_ all: [One] = []) { waiting = all }

    /// Those of the broker itself, without the metrics'.
    var brokerCount: Int { waiting.count { $0.role != .metrics } }

    /// What a supervisor has decided: no address of the settings is bound then.
    var areGiven: Bool { waiting.contains { $0.isGiven && $0.role != .metrics } }

    /// Takes what listens on a host and port already, in the order in which it was opened.
    /// - Parameter port: 0: any, the first one's.
    mutating func take(_ role: ListenerRole, _ host: String, port: UInt16) -> [ListenerBox] {
        take { one in one.role == role && !one.isGiven && one.host == host && (port == 0 || one.box.port == port) }
    }

    /// Takes what was given for a role.
    mutating func takeGiven(_ role: ListenerRole) -> [One] { remove { $0.role == role && $0.isGiven } }

    private mutating func take(where isWanted: (One) -> Bool) -> [ListenerBox] {
        guard let port = waiting.first(where: isWanted)?.box.port else { return [] }
        return remove { isWanted($0) && $0.box.port == port }.map(\.box)
    }

    private mutating func remove(where isWanted: (One) -> Bool) -> [One] {
        defer { waiting.removeAll(where: isWanted) }
        return waiting.filter(isWanted)
    }
}

/// Which loops serve the sockets of one address.
///
///     as many as loops, or a multiple     each loop has its own, and the kernel spreads clients over them
///     any other number                    some loops have one, and deal their clients out to all
///
/// The first is how this server binds (`SO_REUSEPORT`); the second is a Unix socket, one that a supervisor gave, or those of a process with
/// another number of loops, of which none may be closed, because clients wait in it.
struct ListenerShare: Equatable {
    /// The loop of each socket.
    let loops: [Int]
    let isDealt: Bool

    init(sockets: Int, loops count: Int) {
        loops = (0..<sockets).map { $0 % count }
        isDealt = sockets % count != 0
    }
}
