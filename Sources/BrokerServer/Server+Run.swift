internal import BrokerCore
internal import CLinux
internal import Configuration
internal import Glibc
internal import Reactor
internal import Telemetry
internal import Wire

/// From the first signal to the end; on the main thread. What is decided is decided by values: `Lifecycle`, `ReloadPace`, `Watchdog`.
extension Server {
    /// Blocks until the server has stopped: by a signal, in good order. A second signal ends it at once.
    public func run() {
        // What reading the configuration left behind: with many apps that is as much as they hold.
        clinux_trim_heap()
        // And what only the start has read of the program and its libraries: half of what is resident.
        if !Self.isTraced { clinux_release_code() }
        supervisor.tell(.ready(status: "serving"))
        if succession.predecessor != nil { supervisor.tell(.mainProcess(getpid())) }
        succession.begin()
        var (lifecycle, pace, watch) = (Lifecycle(), ReloadPace(), CertificateWatch(state))
        var memory = MemoryWatch(state, backlogs)
        var guarding = supervisor.watchdogMilliseconds.map { Guarding(intervalMilliseconds: $0) }
        while !lifecycle.hasEnded {
            watch?.look()
            memory.look(milliseconds: now)
            let due = [
                lifecycle.wait(milliseconds: now), pace.wait(milliseconds: now), guarding?.wait(milliseconds: now),
                memory.wait(milliseconds: now),
                watch.map { _ in UInt64(CertificateWatch.intervalMilliseconds) },
                succession.wait(milliseconds: now), webhooks.openAwaitedControl(),
            ]
            let heard = signals.waitAll(
                milliseconds: due.compactMap { $0 }.min().map { Int32(clamping: $0) } ?? -1,
                others: succession.descriptors)
            // All of them, before anything that takes long: a storm of one must not hold up another.
            for signal in heard {
                if signal == .hangup { pace.want() }
                if signal == .user1 { logState() }
                carryOut(lifecycle.hear(signal, milliseconds: now, times))
            }
            let handed = lifecycle.hasListeners ? listening.handed + [metrics?.handed].compactMap { $0 } : nil
            if let next = succession.advance(milliseconds: now, handed: handed) {
                Log.info("replaced", ("pid", next))
                supervisor.tell(.mainProcess(next))
                state.isReplaced = true
                carryOut(lifecycle.replaced(milliseconds: now, times))
            }
            carryOut(lifecycle.advance(milliseconds: now, times, left(isEnding: lifecycle.isEnding)))
            guarding?.advance(milliseconds: now, self)
            if !lifecycle.hasEnded, pace.take(milliseconds: now) {
                runReload()
                pace.ended(milliseconds: now)
            }
        }
    }

    /// A debugger has its breakpoints in our code.
    private static var isTraced: Bool {
        !(WholeFile.text("/proc/self/status", bytesMax: 4_096) ?? "").holds("TracerPid:\t0\n")
    }

    private var now: UInt64 { MonotonicTime.now().nanoseconds / 1_000_000 }

    private func left(isEnding: Bool) -> Lifecycle.Left {
        Lifecycle.Left(
            clients: state.webSocketCount, unanswered: state.lastAnswers.waiting(),
            untold: isEnding ? webhooks.untold() : 0)
    }

    private var times: Lifecycle.Times {
        let settings = settings
        return Lifecycle.Times(
            delay: UInt64(settings.drainDelaySeconds) * 1_000, grace: UInt64(settings.shutdownGraceSeconds) * 1_000)
    }

    private func runReload() {
        tell(.reloading(monotonicNanoseconds: MonotonicTime.now().nanoseconds))
        let isDone = reload.run()
        tell(.ready(status: isDone ? "serving" : "serving; the last reload was refused, see the log"))
    }

    // MARK: The end, and what may come before

    private func carryOut(_ actions: [Lifecycle.Action]) {
        for action in actions {
            switch action {
            case .failReadiness:
                state.isServing = false
                Log.info("not ready", ("seconds", settings.drainDelaySeconds))
                supervisor.tell(.status("not ready"))
            case .sendClientsAway:
                state.isDraining = true
                Log.info("draining", ("connections", state.webSocketCount), ("seconds", settings.shutdownGraceSeconds))
                tell(.status("sending clients away"))
            case .closeListeners:
                closeListeners(isLeaving: listening.areGiven)
                webhooks.drain()
                listening.removeFiles()
                succession.close()
                supervisor.tell(.stopping(status: "draining", milliseconds: times.grace + Self.endMilliseconds))
            case .leaveListeners:
                closeListeners(isLeaving: true)
                webhooks.drain()
                metrics?.leaveListener()
                succession.close()
            case .serveAgain:
                (state.isDraining, state.isServing) = (false, true)
                Log.info("serving again")
                supervisor.tell(.status("serving"))
            case .end(let isNow): end(withinMilliseconds: isNow ? Self.endNowMilliseconds : Self.endMilliseconds)
            }
        }
    }

    /// - Parameter isLeaving: what waits in them is another process's; else it is still accepted.
    private func closeListeners(isLeaving: Bool) {
        let answers = state.lastAnswers
        answers.begin(isDealing: listening.isDealing)
        for (number, handle) in state.handles.enumerated() {
            handle.submit { loop in
                if isLeaving { loop.stopListening() } else { loop.finishListening() }
                answers.ask(number)
            }
        }
    }

    /// A process that was replaced is no service any more, and its end not the service's.
    fileprivate func tell(_ news: Supervisor.News) {
        if !state.isReplaced { supervisor.tell(news) }
    }

    /// What the last turns and the threads' ends may take before the process ends without them.
    private static let endMilliseconds: UInt64 = 5_000
    private static let endNowMilliseconds: UInt64 = 1_000

    private func end(withinMilliseconds patience: UInt64) {
        state.isDraining = true
        // A loop that hangs must not keep the process from ending. No thread, no guard: then there is none to wait for either.
        _ = try? LoopThread.start(name: "last-exit") {
            usleep(UInt32(patience) * 1_000)
            Log.error("a loop did not end; the process does")
            _exit(0)
        }
        // One turn more, so that the last close frames reach the kernel.
        let flushed = CountDownLatch(threads.count)
        for handle in state.handles { handle.post { flushed.open() } }
        flushed.wait()
        for handle in state.handles { handle.stop() }
        for thread in threads { thread.join() }
        // What happened to the last clients has been posted by now.
        webhooks.stop()
        metrics?.stop()
        if !state.isReplaced { listening.removeFiles() }
        succession.close()
        state.refusals.tellOverdue(all: true)
        Log.info("stopped")
    }

    private func logState() {
        for app in state.broker.apps where !app.isRemoved {
            Log.info(
                "state", ("app", app.settings.id), ("connections", app.connectionCount),
                ("channels", app.channelCount))
        }
        let tables = state.broker.tableStatistics
        Log.info(
            "tables of names", ("longest_probe", tables.longestProbe), ("overlong_probes", tables.overlongProbes),
            ("held_bytes", tables.heldBytes))
        for (number, handle) in state.handles.enumerated() {
            handle.submit { loop in
                Log.info(
                    "loop", ("number", number), ("connections", loop.connectionCount),
                    ("turns", Int(truncatingIfNeeded: loop.statistics.turns)),
                    ("longest_turn_microseconds", Int(truncatingIfNeeded: loop.takeLongestTurn() / 1_000)))
            }
        }
    }
}

/// A watchdog of a supervisor, and the loops' answers to it.
private struct Guarding {
    private var watchdog: Watchdog
    private var asked: RollCall?

    init(intervalMilliseconds: UInt64) {
        watchdog = Watchdog(
            intervalMilliseconds: intervalMilliseconds, now: MonotonicTime.now().nanoseconds / 1_000_000)
    }

    func wait(milliseconds now: UInt64) -> UInt64 { watchdog.wait(milliseconds: now) }

    mutating func advance(milliseconds now: UInt64, _ server: Server) {
        for action in watchdog.advance(milliseconds: now, haveAnswered: asked?.isComplete ?? false) {
            switch action {
            case .ask: asked = RollCall(server.state.handles)
            case .feed: server.tell(.alive)
            }
        }
    }
}
