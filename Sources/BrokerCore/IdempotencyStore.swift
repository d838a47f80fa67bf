public import Crypto
public import PusherProtocol
internal import Synchronization

/// One key of a publish, and what the publish asks for.
public struct IdempotencyClaim: Sendable {
    public var key: IdempotencyKey
    public var fingerprint: SHA256Digest

    public init(key: IdempotencyKey, fingerprint: SHA256Digest) { (self.key, self.fingerprint) = (key, fingerprint) }
}

/// The right to make one publish, and the duty to say how it ended.
public struct IdempotencyTicket: Sendable, Equatable {
    let place: Int
    let number: UInt64
}

/// What became of a claim.
public enum IdempotencyOutcome: Sendable, Equatable {
    public enum Claimed: Sendable, Equatable {
        /// Publish, then `settle` or `abandon`.
        case new(IdempotencyTicket)
        /// It has been published; the answer it got.
        case answered([UInt8])
    }

    /// One for each claim.
    case claimed([Claimed])
    /// This claim's key stands for another publish (409).
    case conflict(index: Int)
    /// Another loop is making the same publish at this moment; look again.
    case underWay
}

/// What happened to keyed publishes since the start.
public struct IdempotencyStatistics: Sendable, Equatable {
    /// Answered from the table.
    public var replays = 0
    public var conflicts = 0
    /// Keys that a limit pushed out before their time.
    public var forgotten = 0
}

/// The keyed publishes of the last two minutes, for all apps and loops of the process. Safe from any thread.
///
/// The lock is held for a look and an entry, never while something is published. A cluster would ask its owner of the key here.
public final class IdempotencyStore: Sendable {
    private let table = Mutex(IdempotencyTable())
    /// So that ticks of a process without keys take no lock.
    private let isInUse = Atomic<Bool>(false)

    public var statistics: IdempotencyStatistics { table.withLock { $0.statistics } }
    /// Keys remembered now.
    public var count: Int { table.withLock { $0.count } }

    public func claim(_ claims: [IdempotencyClaim], app: App, time: BrokerTime) -> IdempotencyOutcome {
        table.withLock { table in
            isInUse.store(true, ordering: .relaxed)
            return table.claim(claims, app: app.index, milliseconds: time.milliseconds)
        }
    }

    public func settle(_ ticket: IdempotencyTicket, answer: [UInt8]) {
        table.withLock { $0.settle(ticket, answer: answer) }
    }

    public func abandon(_ ticket: IdempotencyTicket) { table.withLock { $0.abandon(ticket) } }

    /// Called about each 100 ms by each loop.
    func tick(_ time: BrokerTime) {
        guard isInUse.load(ordering: .relaxed) else { return }
        table.withLock { table in
            table.expire(milliseconds: time.milliseconds, limit: 1_000)
            // Under the lock, as in `claim`, so that neither undoes the other.
            if table.count == 0 { isInUse.store(false, ordering: .relaxed) }
        }
    }
}

extension LoopBroker {
    /// Claims the keys of a publish that this loop is about to make.
    public func claim(_ claims: [IdempotencyClaim], app: App) -> IdempotencyOutcome {
        shared.idempotency.claim(claims, app: app, time: time)
    }

    /// Says how claimed publishes ended: with these answers, in order.
    public func settle(_ tickets: [(ticket: IdempotencyTicket, answer: [UInt8])]) {
        for one in tickets { shared.idempotency.settle(one.ticket, answer: one.answer) }
    }

    /// Says that claimed publishes were refused.
    public func abandon(_ outcome: [IdempotencyOutcome.Claimed]) {
        for case .new(let ticket) in outcome { shared.idempotency.abandon(ticket) }
    }
}
