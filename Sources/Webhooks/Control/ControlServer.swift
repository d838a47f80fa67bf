internal import Glibc
public import Reactor
internal import Synchronization
internal import Telemetry

/// The control socket: where this machine's operator asks the running process, by HTTP and JSON (`ControlRequest`).
///
/// A Unix socket in the state directory, with mode 0600, for this user and root, on a loop and thread of its own. It is made under another name
/// and renamed, so that who takes over from another process has its place at once, and is never without one. Any thread.
public final class ControlServer: Sendable {
    /// Where it is.
    public let path: String
    private let file: SocketFile
    private let state: State
    private let thread: LoopThread

    /// Where the one of a state directory is.
    public static func path(in directory: String) -> String {
        directory.utf8.last == UInt8(ascii: "/") ? directory + "control" : directory + "/control"
    }

    /// Listens, in place of whoever did so there before.
    /// - Parameter directory: is there.
    /// - Throws: when no socket can be made there.
    public init(in directory: String, _ duties: any ControlDuties) throws(IOError) {
        let path = Self.path(in: directory)
        let own = "\(path).\(getpid())"
        let listener = try Listener(path: own, mode: 0o600, backlog: 16)
        guard let made = listener.file else { throw IOError(call: "listen on \(own)", code: ENOENT) }
        do throws(IOError) { file = try made.moved(to: path) } catch {
            made.remove()
            throw error
        }
        let state = State(listener)
        (self.path, self.state) = (path, state)
        do throws(IOError) { thread = try LoopThread.start(name: "control") { state.run(duties) } } catch {
            file.remove()
            throw error
        }
    }

    /// Ends it; whoever is being answered is cut off. The file goes unless another process has its place by now. Once.
    public func stop() {
        file.remove()
        state.stop()
        thread.join()
    }

    /// What the threads share: the listener until the loop has it, and then the loop's handle.
    private final class State: Sendable {
        private struct Shared: ~Copyable {
            var listener: Listener?
            var handle: LoopHandle?
            var isEnding = false
        }

        private let shared: Mutex<Shared>

        init(_ listener: consuming Listener) { shared = Mutex(Shared(listener: listener)) }

        func run(_ duties: any ControlDuties) {
            let loop: EventLoop
            do throws(IOError) { loop = try EventLoop(ControlTalk.loopOptions) } catch {
                return Log.error("no control socket", ("reason", error.description))
            }
            guard begin(loop.handle), let listener = shared.withLock({ $0.listener.take() }) else { return }
            loop.listen(on: listener, tag: 0)
            loop.run(ControlTalk(loop: loop, duties: duties))
        }

        private func begin(_ handle: LoopHandle) -> Bool {
            shared.withLock {
                $0.handle = handle
                return !$0.isEnding
            }
        }

        func stop() {
            shared.withLock {
                $0.isEnding = true
                $0.handle?.stop()
            }
        }
    }
}
