internal import Synchronization

/// Whether memory is short, for those who let clients and calls in, and for the page of metrics. Safe from any thread.
final class MemoryPressure: Sendable {
    private let levelNumber = Atomic<Int>(0)
    private let used = Atomic<Int>(0)
    private let limit = Atomic<Int>(0)
    // Only while memory is short, so no matter for whoever is served.
    private let connections = Atomic<Int>(0)
    private let calls = Atomic<Int>(0)

    /// What is known, for people.
    struct Facts: Equatable {
        var level = 0
        /// 0: nobody looks.
        var (usedBytes, limitBytes) = (0, 0)
        var (refusedConnections, refusedCalls) = (0, 0)
    }

    /// New clients and calls are refused.
    @inline(__always)
    var isShort: Bool { levelNumber.load(ordering: .relaxed) != 0 }

    func set(_ level: MemoryGuard.Level, _ reading: MemoryGuard.Reading) {
        levelNumber.store(level.rawValue, ordering: .relaxed)
        used.store(reading.usedBytes, ordering: .relaxed)
        limit.store(reading.limitBytes ?? 0, ordering: .relaxed)
    }

    /// A client comes.
    func admitConnection() throws(Refusal) {
        guard isShort else { return }
        connections.wrappingAdd(1, ordering: .relaxed)
        throw .shortOfMemory
    }

    /// A call of the API comes.
    @inline(__always)
    func admitCall() throws(Refusal) {
        guard isShort else { return }
        calls.wrappingAdd(1, ordering: .relaxed)
        throw .shortOfMemoryForCalls
    }

    var facts: Facts {
        Facts(
            level: levelNumber.load(ordering: .relaxed), usedBytes: used.load(ordering: .relaxed),
            limitBytes: limit.load(ordering: .relaxed), refusedConnections: connections.load(ordering: .relaxed),
            refusedCalls: calls.load(ordering: .relaxed))
    }
}
