internal import Reactor

/// What counts as one address: an IPv4 address, or the /64 of an IPv6 address, for whoever has one of its addresses has all of them
/// (RFC 4291 §2.5.1, RFC 6177).
struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
    /// The address, or the network's first half.
    let bits: UInt64
    let isIPv4: Bool

    /// nil: a peer without an address, over a local socket.
    init?(_ peer: PeerAddress) {
        switch peer.family {
        case .none: return nil
        case .ipv4: (bits, isIPv4) = (peer.low, true)
        case .ipv6: (bits, isIPv4) = (peer.high, false)
        }
    }

    var description: String {
        let first = PeerAddress(
            family: isIPv4 ? .ipv4 : .ipv6, port: 0, high: isIPv4 ? 0 : bits, low: isIPv4 ? bits : 0)
        return isIPv4 ? first.host : first.host + "/64"
    }
}

/// What one address may have; nil: as much as there is.
struct AddressLimits: Sendable, Equatable {
    /// Open connections.
    var connections: Int?
    /// New ones in a second, and as many at once after a second without any.
    var perSecond: Int?

    subscript(limit: AddressLimit) -> Int? { limit == .connections ? connections : perSecond }

    var isOn: Bool { connections != nil || perSecond != nil }
}

/// Which limit of an address was hit. The raw value is the option's key.
enum AddressLimit: String, Sendable, CaseIterable {
    case connections = "connectionsPerAddress"
    case rate = "connectionsPerAddressPerSecond"
}

/// How often one loop has refused somebody by each limit. Plain numbers of the loop's thread.
struct AddressHits: Sendable, Equatable {
    private var connections: UInt64 = 0
    private var rate: UInt64 = 0

    subscript(limit: AddressLimit) -> UInt64 { limit == .connections ? connections : rate }

    mutating func add(_ limit: AddressLimit) {
        switch limit {
        case .connections: connections &+= 1
        case .rate: rate &+= 1
        }
    }

    static func += (sum: inout AddressHits, other: AddressHits) {
        sum.connections &+= other.connections
        sum.rate &+= other.rate
    }
}
