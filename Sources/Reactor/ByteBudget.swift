internal import Synchronization

/// Bytes that all loops of a process may hold together for one purpose. Safe from any thread.
///
/// What is taken is given back by whoever took it. A holder that would have only a little may be let in when the budget is
/// used up, so that those who hold much do not shut out everybody else: the bound is then `bytesMax` and one grace a holder.
public final class ByteBudget: Sendable {
    /// What may be held, graces aside.
    public let bytesMax: Int
    private let held = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)

    /// A budget of which nothing is taken yet.
    public init(bytesMax: Int = .max) { self.bytesMax = bytesMax }

    /// Bytes held now.
    public var heldBytes: Int { held.load(ordering: .relaxed) }

    /// Holders turned away since the start.
    public var refusals: Int { refused.load(ordering: .relaxed) }

    /// Takes bytes if they fit, or in any case when the holder is `withinGrace`.
    /// - Returns: false, and nothing taken, when they do not.
    public func take(_ bytes: Int, withinGrace: Bool = false) -> Bool {
        let after = held.wrappingAdd(bytes, ordering: .relaxed).newValue
        guard after > bytesMax, !withinGrace else { return true }
        held.wrappingSubtract(bytes, ordering: .relaxed)
        return false
    }

    /// Counts a holder that was turned away; one that got less than it asked for was not.
    public func countRefusal() { refused.wrappingAdd(1, ordering: .relaxed) }

    /// Gives back what was taken.
    public func giveBack(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }
}
