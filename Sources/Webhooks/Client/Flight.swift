internal import Reactor
internal import Wire

/// One attempt under way.
///
///     beginning ─▶ lookingUp ─▶ waiting ─▶ connecting ─▶ exchanging ─▶ landed
///         └──── a kept connection ─────────────────────────▲
struct Flight {
    enum Stage: Equatable {
        case beginning, lookingUp
        /// For a place in the pool.
        case waiting
        /// It is not known yet whether the server takes the connection; the request may be queued already.
        case connecting(UInt32)
        case exchanging(UInt32)
    }

    let request: OutgoingRequest
    let deadline: MonotonicTime
    let done: (AttemptOutcome) -> Void
    var stage = Stage.beginning
    /// Those that have not been tried, all of them allowed.
    var addresses: ArraySlice<IPAddress> = []
    /// Until when the one that is tried has time: others wait.
    var addressDeadline: MonotonicTime
    /// What the last address said.
    var refusal: AttemptFailure?

    init(_ request: OutgoingRequest, deadline: MonotonicTime, _ done: @escaping (AttemptOutcome) -> Void) {
        (self.request, self.deadline, self.done, addressDeadline) = (request, deadline, done, deadline)
    }

    var slot: UInt32? {
        switch stage {
        case .connecting(let slot), .exchanging(let slot): slot
        case .beginning, .lookingUp, .waiting: nil
        }
    }

    /// Takes the next address; its time is an equal share of what is left.
    mutating func nextAddress(now: MonotonicTime) -> IPAddress? {
        guard let address = addresses.popFirst() else { return nil }
        let share = deadline.nanosecondsSince(now) / UInt64(addresses.count + 1)
        addressDeadline = now.after(nanoseconds: share)
        return address
    }
}
