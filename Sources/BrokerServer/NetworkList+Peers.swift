internal import Reactor
internal import Wire

extension NetworkList {
    /// Whether who connected is believed.
    func believes(_ peer: PeerAddress) -> Bool {
        switch peer.family {
        case .none: believes(peer: nil)
        case .ipv4: believes(peer: IPAddress(ipv4: UInt32(truncatingIfNeeded: peer.low)))
        case .ipv6: believes(peer: IPAddress(high: peer.high, low: peer.low))
        }
    }
}
