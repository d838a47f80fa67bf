internal import BrokerCore
internal import Configuration
internal import Reactor
internal import Synchronization
internal import TLS

/// Starts the loops of one server, each on a thread of its own, and serves on none before all of them exist: a loop must be able to wake
/// every other from its first turn on.
///
///     start:  a thread a loop ──▶ all made? ──▶ handles shared ──▶ begin ──▶ all serving ──▶ returns
///     loop n: EventLoop ──▶ made ·····························▶ begin ──▶ listens ──▶ serving ──▶ runs
final class LoopStartup: Sendable {
    private let state: ServerState
    private let listening: Listening
    private let options: LoopOptions
    /// Where the starting threads leave their handles, or the error that stopped one.
    private let results: Mutex<[Result<LoopHandle, IOError>?]>
    private let (made, begin, serving): (CountDownLatch, CountDownLatch, CountDownLatch)

    init(_ state: ServerState, _ listening: Listening, options: LoopOptions) {
        let count = state.broker.loopCount
        (self.state, self.listening, self.options) = (state, listening, options)
        results = Mutex(Array(repeating: nil, count: count))
        (made, begin, serving) = (CountDownLatch(count), CountDownLatch(1), CountDownLatch(count))
    }

    /// Returns when all loops serve. Throws what stopped the first of them that could not be made; the process ends then, so that those
    /// which wait to begin are not told.
    func start() throws(IOError) -> [LoopThread] {
        var threads: [LoopThread] = []
        for number in 0..<state.broker.loopCount {
            threads.append(try LoopThread.start(name: "loop-\(number)") { self.run(number) })
        }
        made.wait()
        var handles: [LoopHandle] = []
        for result in results.withLock({ $0 }) {
            guard let result else { preconditionFailure("every loop has said how it went") }
            handles.append(try result.get())
        }
        state.handles = handles
        begin.open()
        serving.wait()
        return threads
    }

    /// The whole life of one loop's thread.
    private func run(_ number: Int) {
        let loop: EventLoop
        do throws(IOError) { loop = try EventLoop(options) } catch {
            results.withLock { $0[number] = .failure(error) }
            return made.open()
        }
        results.withLock { $0[number] = .success(loop.handle) }
        made.open()
        begin.wait()
        let server = LoopServer(state: state, loop: loop, number: number, handles: state.handles)
        let preamble = server.state.settings.wantsProxyHeader ? ProxyPreamble(state: server.state) : nil
        listening.serve(on: loop, number: number, state.handles, state.tls.map(TLSRoom.init), preamble: preamble)
        serving.open()
        loop.run(server)
    }
}
