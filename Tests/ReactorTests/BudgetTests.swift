@testable import Reactor
import TestSupport
import Testing

@Suite("A budget of the process") struct BudgetTests {
    /// A share in a class, because a closure or an array holds no noncopyable values.
    private final class Holder {
        var share: BudgetShare
        init(_ budget: ProcessBudget) { share = BudgetShare(of: budget) }
        func acquire(_ bytes: Int, withinGrace: Bool = false) -> Bool { share.acquire(bytes, withinGrace: withinGrace) }
        func give(_ bytes: Int) { share.give(bytes) }
        var usedBytes: Int { share.usedBytes }
    }

    @Test("whatever loops take and give, the sum stays below the limit and nothing is lost", arguments: 0..<20)
    func model(seed: Int) {
        var random = SeededRandom(seed: seed)
        let budget = ProcessBudget(limitBytes: Int.random(in: 1...5_000_000, using: &random))
        var holders: [Holder] = (0..<4).map { _ in Holder(budget) }
        var held: [(holder: Int, bytes: Int)] = []
        for _ in 0..<300 {
            let used = held.reduce(0) { $0 + $1.bytes }
            #expect(holders.reduce(0) { $0 + $1.usedBytes } == used)
            #expect(budget.reservedBytes >= used && budget.reservedBytes <= budget.limitBytes)
            #expect(budget.reservedBytes - used <= holders.count * 3 * budget.chunkBytes)
            if let index = held.indices.randomElement(using: &random), Bool.random(using: &random) {
                holders[held[index].holder].give(held[index].bytes)
                held.remove(at: index)
            } else {
                let (holder, bytes) = (
                    Int.random(in: 0..<4, using: &random), Int.random(in: 0...300_000, using: &random)
                )
                if holders[holder].acquire(bytes) {
                    held.append((holder, bytes))
                } else {
                    #expect(used + bytes + holders.count * 3 * budget.chunkBytes > budget.limitBytes, "refused in vain")
                }
            }
        }
        holders = []
        #expect(budget.reservedBytes == 0, "a loop that ends gives back what it holds")
    }

    @Test func aHolderOfLittleIsLetInWhenTheBudgetIsUsedUp() {
        let budget = ProcessBudget(limitBytes: 100)
        #expect(budget.acquire(60) && budget.acquire(40))
        #expect(!budget.acquire(1) && budget.reservedBytes == 100)
        #expect(budget.acquire(7, withinGrace: true) && budget.reservedBytes == 107)
        budget.countRefusal()
        #expect(!budget.acquire(1) && budget.refusalCount == 1)
        budget.give(8)
        #expect(budget.acquire(1) && budget.reservedBytes == 100)
        let holder = Holder(budget)
        #expect(!holder.acquire(5) && holder.usedBytes == 0 && budget.reservedBytes == 100)
        let isLetIn = holder.acquire(5, withinGrace: true)
        #expect(isLetIn && holder.usedBytes == 5 && budget.reservedBytes == 105)
        holder.give(5)
        #expect(budget.reservedBytes == 100)
    }

    @Test func aLoopThatUsesNothingHasNothingInHand() {
        let budget = ProcessBudget(limitBytes: 256 << 20)
        let holder = Holder(budget)
        #expect(holder.acquire(10) && budget.reservedBytes > 10)
        holder.give(10)
        #expect(budget.reservedBytes == 0)
    }

    @Test func aSmallTakeDoesNotComeToTheSharedCounter() {
        let budget = ProcessBudget(limitBytes: 256 << 20)
        let holder = Holder(budget)
        #expect(holder.acquire(4_096))
        let reserved = budget.reservedBytes
        for _ in 0..<10 {
            #expect(holder.acquire(4_096))
            holder.give(4_096)
        }
        #expect(budget.reservedBytes == reserved)
    }

    @Test func theLastByteCanBeHad() {
        let budget = ProcessBudget(limitBytes: 10_000)
        let (one, other) = (Holder(budget), Holder(budget))
        let bothFit = one.acquire(9_000) && other.acquire(1_000 - budget.chunkBytes)
        #expect(bothFit)
        #expect(!other.acquire(1_001))
        one.give(9_000)
        #expect(other.acquire(9_000 - budget.chunkBytes))
    }
}
