/// An IPv4 or IPv6 address, as numbers. IPv4 that was written as IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is IPv4, so that one
/// peer has one address.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Family: UInt8, Sendable {
        case ipv4, ipv6

        public var bits: Int { self == .ipv4 ? 32 : 128 }
    }

    public let family: Family
    /// The first 64 bits of IPv6; 0 for IPv4.
    public let high: UInt64
    /// The other 64 bits; IPv4 sits in the low 32.
    public let low: UInt64

    public init(ipv4: UInt32) { (family, high, low) = (.ipv4, 0, UInt64(ipv4)) }

    /// IPv6, unless it stands for IPv4.
    public init(high: UInt64, low: UInt64) {
        let isMapped = high == 0 && low >> 32 == 0xFFFF
        (family, self.high, self.low) = (isMapped ? .ipv4 : .ipv6, high, isMapped ? low & 0xFFFF_FFFF : low)
    }

    /// Reads `192.0.2.1` (four decimal numbers without leading zeros, which some take for octal ones) and `2001:db8::1`
    /// (RFC 4291 §2.2), without brackets and zones; nil when it is neither.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if let bits = Self.ipv4(bytes[...]) {
            self.init(ipv4: bits)
        } else if let (high, low) = Self.ipv6(bytes[...]) {
            self.init(high: high, low: low)
        } else {
            return nil
        }
    }

    /// 4 or 16, in the order of the network.
    public var bytes: [UInt8] {
        func split(_ number: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * (count - 1 - $0))) }
        }
        return family == .ipv4 ? split(low, 4) : split(high, 8) + split(low, 8)
    }

    // MARK: Reading

    private static func ipv4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var number: UInt32 = 0
            for byte in part {
                guard (0x30...0x39).contains(byte) else { return nil }
                number = number * 10 + UInt32(byte - 0x30)
            }
            guard number <= 255 else { return nil }
            bits = bits << 8 | number
        }
        return bits
    }

    private static func ipv6(_ text: ArraySlice<UInt8>) -> (high: UInt64, low: UInt64)? {
        // `::` stands once, for one group of zeros or more.
        let colon = UInt8(ascii: ":")
        let gap = text.indices.first { text[$0] == colon && $0 + 1 < text.endIndex && text[$0 + 1] == colon }
        let groups: [UInt16]
        if let gap {
            guard let left = Self.groups(text[..<gap]), let right = Self.groups(text[(gap + 2)...], mayEndInIPv4: true),
                left.count + right.count < 8
            else { return nil }
            groups = left + [UInt16](repeating: 0, count: 8 - left.count - right.count) + right
        } else {
            guard let all = Self.groups(text, mayEndInIPv4: true), all.count == 8 else { return nil }
            groups = all
        }
        func joined(_ groups: ArraySlice<UInt16>) -> UInt64 { groups.reduce(0) { $0 << 16 | UInt64($1) } }
        return (joined(groups[..<4]), joined(groups[4...]))
    }

    private static func groups(_ text: ArraySlice<UInt8>, mayEndInIPv4: Bool = false) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, mayEndInIPv4, let bits = ipv4(part) {
                groups += [UInt16(truncatingIfNeeded: bits >> 16), UInt16(truncatingIfNeeded: bits)]
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var number: UInt16 = 0
            for byte in part {
                guard let digit = Hex.value(byte) else { return nil }
                number = number << 4 | UInt16(digit)
            }
            groups.append(number)
        }
        return groups
    }

    // MARK: Writing

    /// RFC 5952: lower case, the first of the longest runs of zeros as `::`.
    public var description: String {
        if family == .ipv4 { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = [high, low].flatMap { half in
            (0..<4).map { UInt16(truncatingIfNeeded: half >> UInt64(48 - 16 * $0)) }
        }
        var longest = 0..<0
        var start: Int?
        for index in 0...8 {
            if index < 8, groups[index] == 0 {
                start = start ?? index
            } else if let first = start {
                if index - first > max(longest.count, 1) { longest = first..<index }
                start = nil
            }
        }
        func text(_ range: Range<Int>) -> String { range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
        guard !longest.isEmpty else { return text(0..<8) }
        return text(0..<longest.lowerBound) + "::" + text(longest.upperBound..<8)
    }
}
