internal import Reactor

/// WebSocket connections of one loop that ended, by who ended them and how. Plain numbers of the loop's thread.
///
/// A client may write any code; those that mean something have a place of their own, and all others share one.
struct CloseCounts: Sendable, Equatable {
    private static let places = 40
    /// By place: from the client, then from the server.
    private var codes = [UInt64](repeating: 0, count: 2 * places)
    private var network = [UInt64](repeating: 0, count: networkCauses.count)

    private static let networkCauses = ["closed", "reset", "timeout", "input", "slow", "local", "error"]

    mutating func add(_ cause: EndCause) {
        switch cause {
        case .closeFrame(let code): codes[Self.place(code ?? 1005)] &+= 1
        case .closed(let code): codes[Self.places + Self.place(code)] &+= 1
        case .transport(let why): network[Self.place(why)] &+= 1
        // Ends of HTTP connections.
        case .answered, .idle: break
        }
    }

    private static func place(_ code: UInt16) -> Int {
        switch code {
        case 1000...1015: Int(code) - 1_000
        case 4000...4009: Int(code) - 4_000 + 16
        case 4100: 26
        case 4200...4202: Int(code) - 4_200 + 27
        case 4300...4302: Int(code) - 4_300 + 30
        default: places - 1
        }
    }

    private static func text(_ place: Int) -> String? {
        switch place {
        case 5: "none"
        case 0...15: String(1_000 + place)
        case 16...25: String(4_000 + place - 16)
        case 26: "4100"
        case 27...29: String(4_200 + place - 27)
        case 30...32: String(4_300 + place - 30)
        case places - 1: "other"
        default: nil
        }
    }

    private static func place(_ why: TransportClose) -> Int {
        switch why {
        case .peerClosed: 0
        case .reset: 1
        case .timeout: 2
        case .overflow: 3
        case .tooSlow: 4
        case .local: 5
        case .error: 6
        }
    }

    /// What has happened at all, in a fixed order.
    func forEach(_ body: (_ by: String, _ code: String, UInt64) -> Void) {
        for (offset, by) in [(0, "client"), (Self.places, "server")] {
            for place in 0..<Self.places where codes[offset + place] > 0 {
                if let text = Self.text(place) { body(by, text, codes[offset + place]) }
            }
        }
        for (place, text) in Self.networkCauses.enumerated() where network[place] > 0 {
            body("network", text, network[place])
        }
    }

    static func += (sum: inout CloseCounts, other: CloseCounts) {
        for place in sum.codes.indices { sum.codes[place] &+= other.codes[place] }
        for place in sum.network.indices { sum.network[place] &+= other.network[place] }
    }
}
