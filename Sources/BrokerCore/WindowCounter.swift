internal import Synchronization

/// Counts within a window of time: events this second, messages this day. Safe from any thread.
///
/// The window's number and the count share one word, so that a new window resets the count in the same step that sees it.
final class WindowCounter: Sendable {
    private let word = Atomic<UInt64>(0)

    /// Takes `amount` from the window if the limit allows all of it.
    /// - Parameter window: the number of the current window; only its low 32 bits count.
    /// - Returns: false, and nothing taken, when the limit would be passed.
    func take(_ amount: Int, window: UInt64, limit: Int) -> Bool {
        var current = UInt64(UInt32(truncatingIfNeeded: window))
        var seen = word.load(ordering: .relaxed)
        while true {
            // A loop whose turn began before the window did counts in the window the others are in; were it to go back,
            // each such step would empty the count.
            if seen >> 32 == current + 1 { current += 1 }
            let used = seen >> 32 == current ? Int(UInt32(truncatingIfNeeded: seen)) : 0
            guard amount <= limit - used else { return false }
            let wanted = current << 32 | UInt64(UInt32(clamping: used + amount))
            let (exchanged, original) = word.compareExchange(expected: seen, desired: wanted, ordering: .relaxed)
            if exchanged { return true }
            seen = original
        }
    }

    /// Gives back what was taken and not used, unless the window is over.
    func giveBack(_ amount: Int, window: UInt64) {
        let current = UInt64(UInt32(truncatingIfNeeded: window))
        var seen = word.load(ordering: .relaxed)
        while seen >> 32 == current {
            let used = UInt64(UInt32(truncatingIfNeeded: seen))
            let wanted = current << 32 | (used - min(used, UInt64(amount)))
            let (exchanged, original) = word.compareExchange(expected: seen, desired: wanted, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }
}

/// A number that must not pass a limit: connections, channels. Safe from any thread.
final class Quota: Sendable {
    private let used = Atomic<Int>(0)

    var count: Int { used.load(ordering: .relaxed) }

    /// Takes one; false, and nothing taken, when `limit` is reached. `nil` is no limit.
    func take(limit: Int?) -> Bool {
        var seen = used.load(ordering: .relaxed)
        while true {
            if let limit, seen >= limit { return false }
            let (taken, original) = used.compareExchange(expected: seen, desired: seen + 1, ordering: .relaxed)
            if taken { return true }
            seen = original
        }
    }

    func giveBack() {
        used.wrappingSubtract(1, ordering: .relaxed)
    }
}
