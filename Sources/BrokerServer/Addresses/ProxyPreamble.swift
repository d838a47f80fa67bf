internal import Configuration
internal import Reactor
internal import Wire

/// PROXY headers of the networks that `trustProxy` names: whoever connects from there begins with one, and nobody else can. One per loop.
final class ProxyPreamble: Preamble {
    private let state: LoopState

    init(state: LoopState) { self.state = state }

    var bytesMax: Int { ProxyHeader.bytesMax }

    func isDue(from peer: PeerAddress) -> Bool { state.settings.trustedProxies.believes(peer) }

    func read(_ bytes: UnsafeRawBufferPointer) -> PreambleReading {
        do throws(ProxyHeader.Fault) {
            guard let header = try ProxyHeader.parse(bytes.bindMemory(to: UInt8.self).span) else { return .needsMore }
            return .whole(
                bytes: header.byteCount, peer: header.client.map(Self.peer), isSecured: header.isSecured)
        } catch {
            return .refused(error.text)
        }
    }

    private static func peer(_ client: ProxyHeader.Client) -> PeerAddress {
        PeerAddress(
            family: client.address.family == .ipv4 ? .ipv4 : .ipv6, port: client.port, high: client.address.high,
            low: client.address.low)
    }
}

@available(*, unavailable) extension ProxyPreamble: Sendable {}

/// How the PROXY headers of one loop went wrong. Plain numbers of the loop's thread; how many were read is in `LoopStatistics.preambles`.
struct ProxyFaultCounts: Sendable, Equatable {
    enum Fault: String, CaseIterable { case malformed, timeout, gone }

    private var counts = [UInt64](repeating: 0, count: Fault.allCases.count)

    subscript(fault: Fault) -> UInt64 { counts[fault.place] }

    mutating func add(_ fault: Fault) { counts[fault.place] &+= 1 }

    static func += (sum: inout ProxyFaultCounts, other: ProxyFaultCounts) {
        for place in sum.counts.indices { sum.counts[place] &+= other.counts[place] }
    }
}

extension ProxyFaultCounts.Fault {
    fileprivate var place: Int {
        switch self {
        case .malformed: 0
        case .timeout: 1
        case .gone: 2
        }
    }

    init(_ why: PreambleFailure) {
        switch why {
        case .refused: self = .malformed
        case .timeout: self = .timeout
        case .gone: self = .gone
        }
    }
}

extension PreambleFailure {
    /// For the operator.
    var text: String {
        switch self {
        case .refused(let text):
            "\(text); proxyProtocol wants one from every address of trustProxy (HAProxy: send-proxy-v2, nginx: proxy_protocol on)"
        case .timeout: "the PROXY header was not whole in time"
        case .gone: "the connection ended within its PROXY header"
        }
    }
}
