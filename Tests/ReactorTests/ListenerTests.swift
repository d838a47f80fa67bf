internal import CLinux
internal import Glibc
@testable import Reactor
import Testing

@Suite("Listeners that are shared") struct ListenerTests {
    private final class Directory {
        let path: String
        init() {
            var name = Array("/tmp/starling-listener-XXXXXX".utf8CString)
            path = mkdtemp(&name).map { String(cString: $0) } ?? "/tmp"
        }
        deinit { for name in ["s", "t"] { unlink("\(path)/\(name)") }; rmdir(path) }
        var socket: String { path + "/s" }
    }

    private func mode(_ path: String) -> mode_t {
        var found = stat()
        return lstat(path, &found) == 0 ? found.st_mode & 0o7777 : 0
    }

    @Test(arguments: [0o600, 0o660, 0o777] as [UInt32]) func aPathHasItsModeWhateverTheUmask(bits: UInt32) throws {
        let directory = Directory()
        let listener = try Listener(path: directory.socket, mode: bits, backlog: 8)
        #expect(mode(directory.socket) == mode_t(bits))
        #expect(listener.port == 0 && listener.place == "unix:\(directory.socket)")
        listener.file?.remove()
        #expect(access(directory.socket, F_OK) != 0)
    }

    @Test func onlyAFileThatNobodyListensOnIsReplaced() throws {
        let directory = Directory()
        do {
            let first = try Listener(path: directory.socket, mode: 0o600, backlog: 8)
            #expect(throws: IOError(call: "listen on \(directory.socket)", code: EADDRINUSE)) {
                _ = try Listener(path: directory.socket, mode: 0o600, backlog: 8)
            }
            #expect(first.file?.isThere == true, "the first one's file stays")
        }
        #expect(access(directory.socket, F_OK) == 0, "it is left behind, as by a crash")
        let second = try Listener(path: directory.socket, mode: 0o640, backlog: 8)
        #expect(mode(directory.socket) == 0o640 && second.file?.isThere == true)
    }

    @Test func aFileThatIsNoSocketStays() throws {
        let directory = Directory()
        close(open(directory.socket, O_CREAT | O_WRONLY, 0o644))
        #expect(throws: IOError(call: "listen on \(directory.socket)", code: EEXIST)) {
            _ = try Listener(path: directory.socket, mode: 0o600, backlog: 8)
        }
        #expect(access(directory.socket, F_OK) == 0)
    }

    @Test func aFileOfAnotherIsNotRemoved() throws {
        let directory = Directory()
        let first = try Listener(path: directory.socket, mode: 0o600, backlog: 8)
        let second = try Listener(path: directory.path + "/t", mode: 0o600, backlog: 8)
        let moved = try #require(try second.file?.moved(to: directory.socket))
        first.file?.remove()
        #expect(moved.isThere && moved.path == directory.socket && first.file?.isThere == false)
        moved.remove()
        #expect(access(directory.socket, F_OK) != 0)
    }

    @Test func onlyAListeningStreamSocketIsInherited() throws {
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
        let inherited = try Listener(inherited: dup(listener.raw))
        #expect(inherited.port == listener.port && inherited.place == "127.0.0.1" && inherited.file == nil)
        #expect(fcntl(inherited.raw, F_GETFD) & FD_CLOEXEC != 0)
        for other in [
            socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0), socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0),
            open("/dev/null", O_RDONLY),
        ] {
            #expect(throws: IOError.self) { _ = try Listener(inherited: other) }
        }
    }

    @Test func aStreamBringsDescriptorsAlongAndKnowsWhoSpeaks() throws {
        let directory = Directory()
        let listener = try Listener(path: directory.socket, mode: 0o600, backlog: 8)
        #expect(try UnixStream.accept(from: listener, patienceMilliseconds: 100) == nil)
        let near = try UnixStream(path: directory.socket, patienceMilliseconds: 5_000)
        let far = try #require(try UnixStream.accept(from: listener, patienceMilliseconds: 5_000))
        #expect(near.user == geteuid() && far.user == geteuid() && far.process == getpid() && near.process == getpid())
        try near.send("plain\n")
        #expect(try far.receive()?.descriptor == nil)
        try near.send("with\n", with: listener.raw)
        let came = try #require(try far.receive())
        let descriptor = try #require(came.descriptor)
        #expect(String(decoding: came.bytes, as: UTF8.self) == "with\n" && descriptor != listener.raw)
        #expect(clinux_is_listener(descriptor) == 1 && fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        clinux_close(descriptor)
        let impatient = try UnixStream(path: directory.socket, patienceMilliseconds: 10)
        #expect(throws: IOError(call: "recvmsg", code: EAGAIN)) { _ = try impatient.receive() }
    }

    /// One loop watches, and each gets its share.
    @Test func aSharedSocketDealsItsClientsOut() throws {
        let directory = Directory()
        let (one, two) = (try EventLoop.manual(), try EventLoop.manual())
        let (first, second) = (Script(), Script())
        var opened: [[Int]] = [[], []]
        first.onOpened = {
            opened[0].append($2); #expect($1.family == .none)
        }
        second.onOpened = { opened[1].append($2) }
        let handles = [one.handle, two.handle]
        one.listen(
            on: try Listener(path: directory.socket, mode: 0o600, backlog: 64), tag: 5, dealingTo: handles)
        two.expectDealt(tag: 5)
        let clients = (0..<20).map { _ in clinux_unix_connect(directory.socket) }
        defer { for client in clients { clinux_close(client) } }
        #expect(clients.allSatisfy { $0 >= 0 })
        for _ in 0..<40 {
            one.turns(1, first)
            two.turns(1, second)
        }
        #expect(opened.map(\.count) == [10, 10] && opened.joined().allSatisfy { $0 == 5 })
        #expect(one.statistics.accepted == 10 && two.statistics.accepted == 10)
    }

    @Test func whatALoopThatEndedWouldGetStays() throws {
        let directory = Directory()
        let loop = try EventLoop.manual()
        let script = Script()
        var count = 0
        script.onOpened = { _, _, _ in count += 1 }
        let gone = try EventLoop.manual()
        _ = gone.handle.end()
        loop.listen(
            on: try Listener(path: directory.socket, mode: 0o600, backlog: 64), tag: 0,
            dealingTo: [gone.handle, loop.handle])
        let clients = (0..<4).map { _ in clinux_unix_connect(directory.socket) }
        defer { for client in clients { clinux_close(client) } }
        #expect(loop.turns(script) { count == 4 })
    }

    /// epoll forgets a socket only with its last descriptor: without being told it would report it for ever.
    @Test func aListenerThatAnotherProcessHasIsNotHeardAnyMore() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
        let (port, other) = (listener.port, dup(listener.raw))
        defer { clinux_close(other) }
        loop.listen(on: listener, tag: 0)
        loop.turns(1, script)
        loop.stopListening()
        let client = clinux_connect("127.0.0.1", port)
        defer { clinux_close(client) }
        #expect(client >= 0)
        #expect(clinux_wait_readable(other, 5_000) == 1, "it waits for the other one")
        #expect(loop.epoll.wait(milliseconds: 0) == 0)
    }
}
