/// Decides when the memory of the process is short, and how much of it backlogs may have then. Time is milliseconds of one monotonic clock.
///
///     calm ──above the limit──▶ short ──an eighth above it──▶ strained
///       ▲                        │  ▲                            │
///       └─ a second below 15/16 ─┘  └───── below the limit ──────┘
///
/// Short: those go who do not read, the largest backlog first, until three quarters are reached; if only as much went as is too much, it would be
/// short again at once. Strained: those who read slowly too, until fifteen sixteenths.
struct MemoryGuard {
    enum Level: Int, Sendable { case calm, short, strained }

    /// What there is, all in bytes.
    struct Reading: Equatable {
        var usedBytes: Int
        /// nil: nobody wants to know.
        var limitBytes: Int?
        /// Memory of backlogs among it.
        var backlogBytes: Int
    }

    /// What follows from a reading.
    struct Outcome: Equatable {
        var level = Level.calm
        /// What backlogs may have while some of them belong to clients who do not read; nil: as much as ever.
        var stalledBytesMax: Int?
        /// What they may have although all of their clients read.
        var backlogBytesMax: Int?
        var news: News?
    }

    /// What the operator is told: once when it begins, then every ten seconds, and when it is over.
    enum News: Equatable { case short, stillShort, enough(milliseconds: UInt64) }

    static let newsMilliseconds: UInt64 = 10_000
    static let calmMilliseconds: UInt64 = 1_000
    static let trimMilliseconds: UInt64 = 5_000
    /// How soon it is looked again: above three quarters of the limit, above half of it, below. (Measured: 2,000 clients who do not read, of
    /// backlogs without a bound of their own, fill 60 MB in 100 ms.)
    static let (anxiousMilliseconds, watchfulMilliseconds, leisureMilliseconds): (UInt64, UInt64, UInt64) = (
        25, 100, 1_000
    )

    private(set) var level = Level.calm
    private var (began, lastNews, lastAbove): (UInt64, UInt64, UInt64) = (0, 0, 0)
    private var lastTrim: UInt64?
    private var next: UInt64? = 0

    /// How long nobody has to look; nil: for ever.
    func wait(milliseconds now: UInt64) -> UInt64? { next.map { $0 > now ? $0 - now : 0 } }

    /// Whether the heap should give back what it keeps, and be measured again, before anybody has to go: it may be all that is too much.
    mutating func wantsTrim(_ reading: Reading, milliseconds now: UInt64) -> Bool {
        guard let limit = reading.limitBytes, reading.usedBytes > limit else { return false }
        if let lastTrim, now < lastTrim + Self.trimMilliseconds { return false }
        lastTrim = now
        return true
    }

    /// Nothing could be read: what was known goes on.
    mutating func postpone(milliseconds now: UInt64) { next = now + Self.leisureMilliseconds }

    mutating func look(_ reading: Reading, milliseconds now: UInt64) -> Outcome {
        guard let limit = reading.limitBytes else {
            next = nil
            return calm(now)
        }
        let low = limit - limit / 16
        // Above the low mark it is not over, so that it does not end and begin again with each client that comes and goes.
        if reading.usedBytes > low { lastAbove = now }
        let isWatchful = level != .calm || reading.usedBytes > limit / 2
        let isAnxious = reading.usedBytes > limit - limit / 4
        next =
            now
            + (isAnxious ? Self.anxiousMilliseconds : isWatchful ? Self.watchfulMilliseconds : Self.leisureMilliseconds)
        switch level {
        case .calm where reading.usedBytes <= limit: return Outcome()
        case .short where now >= lastAbove + Self.calmMilliseconds,
            .strained where now >= lastAbove + Self.calmMilliseconds:
            return calm(now)
        case .calm, .short, .strained: break
        }
        var outcome = Outcome()
        if level == .calm {
            (began, lastNews, outcome.news) = (now, now, .short)
        } else if now >= lastNews + Self.newsMilliseconds {
            (lastNews, outcome.news) = (now, .stillShort)
        }
        let isStrained = reading.usedBytes > (level == .strained ? limit : limit + limit / 8)
        level = isStrained ? .strained : .short
        outcome.level = level
        let others = reading.usedBytes - reading.backlogBytes
        outcome.stalledBytesMax = max(0, limit - limit / 4 - others)
        if isStrained { outcome.backlogBytesMax = max(0, low - others) }
        return outcome
    }

    private mutating func calm(_ now: UInt64) -> Outcome {
        defer { level = .calm }
        return Outcome(news: level == .calm ? nil : .enough(milliseconds: now - began))
    }
}
