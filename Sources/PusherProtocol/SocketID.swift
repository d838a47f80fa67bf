internal import Wire

/// The name of one connection, `high.low`: what clients sign and what publishers exclude (Pusher protocol §2.2).
public struct SocketID: Sendable, Hashable {
    public var high: UInt32
    public var low: UInt32

    /// An id from its two numbers.
    public init(high: UInt32, low: UInt32) {
        self.high = high
        self.low = low
    }

    /// No id is longer.
    static let bytesMax = 21

    /// Appends `high.low` in decimal (PW-003).
    public func append(to out: inout [UInt8]) { out.append(bytesMax: Self.bytesMax) { write(to: &$0) } }

    func write(to pen: inout JSONWriter) {
        pen.write(integer: Int(high))
        pen.write(text: ".")
        pen.write(integer: Int(low))
    }

    /// The id a text names; nil when this broker could not have given it out. Equal texts give equal ids and no others do.
    public static func parse(_ text: Span<UInt8>) -> SocketID? {
        guard let dot = wellFormedDot(text), let high = number(text, 0..<dot),
            let low = number(text, dot + 1..<text.count)
        else { return nil }
        return SocketID(high: high, low: low)
    }

    /// Whether the text has the form `^\d+\.\d+$`, at most 40 bytes: such an id may be unknown, but is not an error (PW-146).
    public static func isWellFormed(_ text: Span<UInt8>) -> Bool { wellFormedDot(text) != nil }

    private static func wellFormedDot(_ text: Span<UInt8>) -> Int? {
        guard text.count <= 40 else { return nil }
        var dot: Int?
        for offset in text.indices {
            switch text[offset] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: ".") where dot == nil: dot = offset
            default: return nil
            }
        }
        guard let dot, dot > 0, dot < text.count - 1 else { return nil }
        return dot
    }

    private static func number(_ text: Span<UInt8>, _ digits: Range<Int>) -> UInt32? {
        // A leading zero would make two texts of one id.
        guard digits.count <= 10, digits.count == 1 || text[digits.lowerBound] != UInt8(ascii: "0") else { return nil }
        var number: UInt64 = 0
        for offset in digits { number = number * 10 + UInt64(text[offset] - UInt8(ascii: "0")) }
        return UInt32(exactly: number)
    }
}
