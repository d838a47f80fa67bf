internal import Synchronization

/// Bytes that all loops of a process may hold together for one purpose (unsent output, input that is not whole yet).
///
/// Safe from any thread. What is taken is given back by whoever took it. A loop that has many buffers does not come here for each:
/// it has a `BudgetShare`, which reserves in chunks.
///
/// When it is used up, a holder that would have only a little may be let in (`withinGrace`), so that those who hold much do not shut
/// out everybody else: the bound is then `limitBytes` and one grace a holder.
public final class ProcessBudget: Sendable {
    /// What may be reserved in all, graces aside; at least 1.
    public let limitBytes: Int
    /// What a share reserves at once; small beside the limit, so that what shares hold unused hardly lowers it.
    public let chunkBytes: Int
    private let reserved = Atomic<Int>(0)
    private let refusals = Atomic<UInt64>(0)

    public init(limitBytes: Int = .max) {
        precondition(limitBytes > 0, "a budget of nothing would refuse everything")
        self.limitBytes = limitBytes
        chunkBytes = max(1, min(64 * 1_024, limitBytes / 1_024))
    }

    /// Reserved by all now, what shares have in hand among it.
    public var reservedBytes: Int { reserved.load(ordering: .relaxed) }

    /// Holders turned away since the start.
    public var refusalCount: UInt64 { refusals.load(ordering: .relaxed) }

    /// Takes bytes if they fit, or in any case when the holder is `withinGrace`.
    /// - Returns: false, and nothing taken, when they do not.
    public func acquire(_ bytes: Int, withinGrace: Bool = false) -> Bool {
        var seen = reserved.load(ordering: .relaxed)
        while true {
            guard withinGrace || bytes <= limitBytes - seen else { return false }
            let (done, original) = reserved.weakCompareExchange(
                expected: seen, desired: seen + bytes, ordering: .relaxed)
            if done { return true }
            seen = original
        }
    }

    /// Gives back what was taken.
    public func give(_ bytes: Int) {
        let before = reserved.wrappingSubtract(bytes, ordering: .relaxed).oldValue
        precondition(before >= bytes, "more was given back than had been taken")
    }

    /// Counts a holder that was turned away; one that got less than it asked for, or for whom another made room, was not.
    public func countRefusal() { refusals.wrappingAdd(1, ordering: .relaxed) }
}

/// One loop's part of a budget. Loop thread only; what it holds goes back when it ends.
///
/// Taking and giving are an addition and a compare as long as the chunk in hand lasts. A loop that uses nothing has nothing in hand.
public struct BudgetShare: ~Copyable {
    public let budget: ProcessBudget
    /// What the loop's buffers hold.
    public private(set) var usedBytes = 0
    /// Reserved and not used: less than three chunks.
    private var sparesBytes = 0

    public init(of budget: ProcessBudget) { self.budget = budget }

    deinit { budget.give(usedBytes + sparesBytes) }

    /// Takes bytes for a buffer that is about to be made or to grow; the rule is the budget's.
    /// - Returns: false when the process holds too much already; nothing is taken then, and the owner decides who has to go.
    public mutating func acquire(_ bytes: Int, withinGrace: Bool = false) -> Bool {
        if bytes > sparesBytes {
            let missing = bytes - sparesBytes
            if budget.acquire(missing + budget.chunkBytes) {
                sparesBytes += missing + budget.chunkBytes
            } else if budget.acquire(missing, withinGrace: withinGrace) {
                sparesBytes += missing
            } else {
                return false
            }
        }
        sparesBytes -= bytes
        usedBytes += bytes
        return true
    }

    /// Gives back what a freed or smaller buffer held.
    public mutating func give(_ bytes: Int) {
        precondition(bytes <= usedBytes, "more was given back than had been taken")
        usedBytes -= bytes
        sparesBytes += bytes
        let kept = usedBytes == 0 ? 0 : budget.chunkBytes
        guard sparesBytes >= 3 * budget.chunkBytes || kept == 0 else { return }
        budget.give(sparesBytes - kept)
        sparesBytes = kept
    }
}
