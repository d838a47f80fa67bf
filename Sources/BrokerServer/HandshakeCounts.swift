internal import Reactor
internal import TLS

/// How many TLS handshakes of one loop failed since it started, by reason. Plain numbers of the loop's thread, as `RefusalCounts`; how many
/// were done is in `LoopStatistics.handshakes`.
struct HandshakeCounts: Sendable, Equatable {
    private var counts = [UInt64](repeating: 0, count: TLSFailure.allCases.count)

    subscript(why: TLSFailure) -> UInt64 { counts[why.rawValue] }

    mutating func add(_ why: TLSFailure) { counts[why.rawValue] &+= 1 }

    static func += (sum: inout HandshakeCounts, other: HandshakeCounts) {
        for place in sum.counts.indices { sum.counts[place] &+= other.counts[place] }
    }
}

extension TLSFailure {
    /// What the reactor saw, and OpenSSL knows more of.
    init(_ why: HandshakeFailure, _ layer: TLSLayer?) {
        switch why {
        case .timeout: self = .timeout
        case .stalled: self = .stalled
        case .gone: self = .gone
        case .broken: self = layer?.failure ?? .record
        }
    }
}
