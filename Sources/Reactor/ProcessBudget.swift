internal import Synchronization

/// Bytes that all loops of a process may hold together for one purpose (unsent output, input that is not whole yet).
///
/// Safe from any thread. Loops do not come here for every buffer: each has a `BudgetShare`, which reserves in chunks.
public final class ProcessBudget: Sendable {
    /// What may be reserved in all, at least 1.
    public let limitBytes: Int
    /// What a share reserves at once; small beside the limit, so that what shares hold unused hardly lowers it.
    public let chunkBytes: Int
    private let reserved = Atomic<Int>(0)
    private let refusals = Atomic<UInt64>(0)

    public init(limitBytes: Int) {
        precondition(limitBytes > 0, "a budget of nothing would refuse everything")
        self.limitBytes = limitBytes
        chunkBytes = max(1, min(64 * 1_024, limitBytes / 1_024))
    }

    /// Reserved by all shares now; never above `limitBytes`.
    public var reservedBytes: Int { reserved.load(ordering: .relaxed) }

    /// How often something was refused.
    public var refusalCount: UInt64 { refusals.load(ordering: .relaxed) }

    /// - Returns: whether there was room; if not, nothing is reserved.
    func reserve(_ bytes: Int) -> Bool {
        var seen = reserved.load(ordering: .relaxed)
        while true {
            guard bytes <= limitBytes - seen else { return false }
            let (done, original) = reserved.weakCompareExchange(
                expected: seen, desired: seen + bytes, ordering: .relaxed)
            if done { return true }
            seen = original
        }
    }

    func release(_ bytes: Int) {
        let before = reserved.wrappingSubtract(bytes, ordering: .relaxed).oldValue
        precondition(before >= bytes, "more was released than had been reserved")
    }

    func countRefusal() { refusals.wrappingAdd(1, ordering: .relaxed) }
}

/// One loop's part of a budget. Loop thread only; what it holds goes back when it ends.
///
/// Taking and giving are an addition and a compare as long as the chunk in hand lasts.
public struct BudgetShare: ~Copyable {
    public let budget: ProcessBudget
    /// What the loop's buffers hold.
    public private(set) var usedBytes = 0
    /// Reserved and not used: less than three chunks.
    private var sparesBytes = 0

    public init(of budget: ProcessBudget) { self.budget = budget }

    deinit { budget.release(usedBytes + sparesBytes) }

    /// Takes bytes for a buffer that is about to be made or to grow.
    /// - Returns: false when the process holds too much already; nothing is taken then, and the owner decides who has to go.
    public mutating func take(_ bytes: Int) -> Bool {
        if bytes > sparesBytes {
            let missing = bytes - sparesBytes
            if budget.reserve(missing + budget.chunkBytes) {
                sparesBytes += missing + budget.chunkBytes
            } else if budget.reserve(missing) {
                sparesBytes += missing
            } else {
                budget.countRefusal()
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
        guard sparesBytes >= 3 * budget.chunkBytes else { return }
        budget.release(sparesBytes - budget.chunkBytes)
        sparesBytes = budget.chunkBytes
    }
}
