internal import Reactor
internal import Synchronization

/// Where the loops leave a copy of their numbers when somebody scrapes. Safe from any thread.
///
///     scraper: ask ──▶ wakes every loop ············▶ all told? ──▶ sums them up
///     loop n:          turn: asked? ──▶ copies its numbers, under its own lock ──▶ wakes the scraper
///
/// A loop that nobody asks does nothing for it but a load a turn: no lock, no atomic addition, and nothing on a tick. One that hangs does
/// not hold up the scrape: after a second what it told last is taken (`starling_silent_loops`).
final class Meters: Sendable {
    /// What is known of the process's memory.
    let memory = MemoryPressure()
    let boards: [MeterBoard]
    let reloads = ReloadCounts()
    /// Of the loop that serves the page.
    private let scraper = Mutex<LoopHandle?>(nil)

    init(loops: Int) { boards = (0..<loops).map { _ in MeterBoard() } }

    /// Asks all loops for their numbers.
    /// - Parameter handles: of all loops.
    func ask(_ handles: [LoopHandle], for scraper: LoopHandle, appsMax: Int) {
        self.scraper.withLock { $0 = scraper }
        for board in boards { board.ask(appsMax: appsMax) }
        for handle in handles { handle.wake() }
    }

    /// How many loops have not answered.
    var silentCount: Int { boards.count { $0.isAsked } }

    /// A loop has answered.
    func told() { scraper.withLock { $0 }?.wake() }
}

/// Where one loop leaves its numbers. Safe from any thread.
final class MeterBoard: Sendable {
    private let asked = Atomic<Bool>(false)
    private let apps = Atomic<Int>(0)
    private let report = Mutex(LoopReport())

    /// Looked at by the loop in each turn.
    var isAsked: Bool {
        @inline(__always) get { asked.load(ordering: .relaxed) }
    }

    /// Apps that get a row of their own.
    var appsMax: Int { apps.load(ordering: .relaxed) }

    func ask(appsMax: Int) {
        apps.store(appsMax, ordering: .relaxed)
        asked.store(true, ordering: .releasing)
    }

    /// The loop's answer.
    func tell(_ new: LoopReport) {
        report.withLock { $0 = new }
        asked.store(false, ordering: .releasing)
    }

    /// What the loop told last.
    var last: LoopReport { report.withLock { $0 } }
}
