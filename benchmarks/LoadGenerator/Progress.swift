internal import Reactor

/// The line a person watches while a run goes on.
struct Progress {
    let isShown: Bool
    var latest = Histogram()
    private let start = MonotonicTime.now().nanoseconds
    private var lastShown: UInt64 = 0
    private var lastCounters = Counters()
    private var lastServerSeconds = 0.0

    init(isShown: Bool) { self.isShown = isShown }

    mutating func show(_ conductor: Conductor, _ now: Counters) {
        let time = MonotonicTime.now().nanoseconds
        guard isShown, time - lastShown > 500_000_000 else { return }
        let seconds = Double(time - max(lastShown, start)) / 1e9
        let change = now - lastCounters
        var line = "\r" + Text.right(Text.fixed(Double(time - start) / 1e9, digits: 0), 3) + "s"
        line += "  conns \(now.ready)"
        if now.published > 0 { line += "  pub \(Text.short(Double(change.published) / seconds))/s" }
        if now.deliveries > 0 { line += "  deliv \(Text.short(Double(change.deliveries) / seconds))/s" }
        if now.joins > 0 { line += "  joins \(Text.short(Double(change.joins) / seconds))/s" }
        if latest.total > 0 {
            line += "  p50 \(Text.milliseconds(latest.value(atPercentile: 50)))"
            line += "  p99 \(Text.milliseconds(latest.value(atPercentile: 99)))"
            line += "  max \(Text.milliseconds(latest.maximum)) ms"
        }
        line += "  dup \(now.duplicated)  late \(now.late)"
        if let server = conductor.meter?.processorSeconds {
            if lastShown > 0 { line += "  cpu \(Text.fixed((server - lastServerSeconds) / seconds * 100, digits: 0))%" }
            lastServerSeconds = server
        }
        (lastShown, lastCounters) = (time, now)
        Files.progress(line + "\u{1B}[K")
    }

    func clear() { if isShown { Files.progress("\r\u{1B}[K") } }
}
