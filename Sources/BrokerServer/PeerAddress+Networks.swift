internal import Reactor
internal import Wire

extension PeerAddress {
    /// For networks to compare with; nil for a peer over a Unix socket.
    var address: IPAddress? {
        switch family {
        case .none: nil
        case .ipv4: IPAddress(ipv4: UInt32(truncatingIfNeeded: low))
        case .ipv6: IPAddress(high: high, low: low)
        }
    }
}
