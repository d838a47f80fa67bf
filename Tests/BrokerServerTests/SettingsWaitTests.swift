#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import Glibc
    @testable import Reactor
    import Synchronization
    import Testing

    /// Settings are replaced from another thread than the loops', which waits for them.
    @Suite("Who replaces settings waits for the loops") struct SettingsWaitTests {
        /// A thread that replaces the settings.
        private final class Caller: Sendable {
            private let state: ServerState
            private let settings: ServerSettings
            private let number = Atomic<Int>(0)
            private let returned = Atomic<Bool>(false)

            init(_ state: ServerState, _ settings: ServerSettings) { (self.state, self.settings) = (state, settings) }

            func start() throws -> LoopThread {
                try LoopThread.start(name: "caller") {
                    let own = WholeFile.text("/proc/thread-self/stat")?.prefix { $0 != " " }
                    self.number.store(own.flatMap { Int($0) } ?? 0, ordering: .sequentiallyConsistent)
                    _ = try? self.state.replaceSettings(self.settings)
                    self.returned.store(true, ordering: .sequentiallyConsistent)
                }
            }

            var hasReturned: Bool { returned.load(ordering: .sequentiallyConsistent) }

            /// Whether the kernel has it asleep.
            var isAsleep: Bool {
                let stat = WholeFile.text("/proc/self/task/\(number.load(ordering: .sequentiallyConsistent))/stat")
                // `number (name) state …`
                return stat?.split(separator: ")").last?.hasPrefix(" S") ?? false
            }
        }

        private func settings(keepAliveSeconds: Int) -> ServerSettings {
            var settings = ServerSettings()
            settings.apps = [AppSettings(id: "app-id", keys: [.init(key: "app-key", secret: "app-secret")])]
            settings.keepAliveSeconds = keepAliveSeconds
            return settings
        }

        @Test func untilTheLoopHasMadeATurn() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let state = bench.server.state.shared
            state.handles = [bench.loop.handle]
            let caller = Caller(state, settings(keepAliveSeconds: 9))
            let thread = try caller.start()
            while !caller.hasReturned, !(bench.loop.handle.hasJobs && caller.isAsleep) { sched_yield() }
            #expect(!caller.hasReturned && bench.server.state.settings.keepAliveSeconds != 9)
            bench.turn(1)
            thread.join()
            #expect(caller.hasReturned && bench.server.state.settings.keepAliveSeconds == 9)
        }

        @Test func butNotForALoopThatHasEnded() throws {
            let bench = try LoopBench()
            let state = bench.server.state.shared
            state.handles = [bench.loop.handle]
            bench.loop.stop()
            bench.loop.run(bench.server)
            try state.replaceSettings(settings(keepAliveSeconds: 9))
            #expect(state.newest.snapshot.settings.keepAliveSeconds == 9)
        }

        @Test func norForOneThatHangsWhenSomethingElseWaits() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let state = bench.server.state.shared
            state.handles = [bench.loop.handle]
            var asked = 0
            let replacement = try state.replaceSettings(settings(keepAliveSeconds: 9)) {
                asked += 1
                return asked < 3
            }
            #expect(asked == 3 && !replacement.isEverywhere)
            #expect(state.newest.snapshot.settings.keepAliveSeconds == 9, "they are in force")
            // The loop takes them when it turns again.
            bench.turn(1)
            #expect(bench.server.state.settings.keepAliveSeconds == 9)
            state.handles = []
            #expect(try state.replaceSettings(settings(keepAliveSeconds: 10)) { false }.isEverywhere)
        }

        @Test func norForOneThatEndsMeanwhile() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let state = bench.server.state.shared
            state.handles = [bench.loop.handle]
            let caller = Caller(state, settings(keepAliveSeconds: 9))
            let thread = try caller.start()
            while !caller.hasReturned, !(bench.loop.handle.hasJobs && caller.isAsleep) { sched_yield() }
            #expect(!caller.hasReturned)
            bench.loop.stop()
            bench.loop.run(bench.server)
            thread.join()
            #expect(caller.hasReturned)
        }
    }
#endif
