/// Up to how much memory the process takes clients and requests.
public enum MemoryLimit: Sendable, Equatable {
    /// Nobody looks.
    case off
    /// Of what the control group may have, or else the machine; 1...100.
    case percent(Int)
    /// Of what the process holds; one of `bytesRange`.
    case bytes(Int)

    /// Below the least of these the process does not start; above the most it is a slip.
    public static let bytesRange = 1_048_576...1_099_511_627_776

    /// As in a flag or a file; nil: it is none. `0` and `0%` are `off`.
    init?(_ text: String) {
        if text == "off" || text == "0" || text == "0%" {
            self = .off
        } else if text.hasSuffix("%") {
            guard let percent = Int(text.dropLast()), (1...100).contains(percent) else { return nil }
            self = .percent(percent)
        } else {
            guard let bytes = Int(text), Self.bytesRange.contains(bytes) else { return nil }
            self = .bytes(bytes)
        }
    }

    /// What `init` reads.
    var text: String {
        switch self {
        case .off: "off"
        case .percent(let percent): "\(percent)%"
        case .bytes(let bytes): String(bytes)
        }
    }

    static let expectation =
        "off, a share from 1% to 100%, or a whole number from \(bytesRange.lowerBound) to \(bytesRange.upperBound)"
}
