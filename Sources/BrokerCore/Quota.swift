internal import Synchronization

/// A number that must not pass a limit: connections, channels. Safe from any thread.
final class Quota: Sendable {
    private let used = Atomic<Int>(0)

    var count: Int { used.load(ordering: .relaxed) }

    /// Takes one; false, and nothing taken, when `limit` is reached. `nil` is no limit.
    func acquire(limit: Int?) -> Bool {
        var seen = used.load(ordering: .relaxed)
        while true {
            if let limit, seen >= limit { return false }
            let (taken, original) = used.compareExchange(expected: seen, desired: seen + 1, ordering: .relaxed)
            if taken { return true }
            seen = original
        }
    }

    func release() {
        used.wrappingSubtract(1, ordering: .relaxed)
    }
}
