/// Packets of MQTT 3.1.1 (OASIS, §3), as many as a subscriber and a publisher of QoS 0 need.
enum MQTT {
    enum Kind: UInt8 { case connack = 2, publish = 3, suback = 9 }

    /// A clean session, no keep-alive, a name that the server chooses.
    static let connect: [UInt8] = [0x10, 12, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, 0, 0]

    static func subscribe(_ topic: String) -> [UInt8] { packet(0x82, [0, 1] + string(topic) + [0]) }

    static func publish(_ topic: String, _ message: [UInt8]) -> [UInt8] { packet(0x30, string(topic) + message) }

    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }

    private static func packet(_ first: UInt8, _ rest: [UInt8]) -> [UInt8] {
        var out = [first]
        var length = rest.count
        // Seven bits a byte, lowest first (§2.2.3).
        repeat {
            out.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
            length >>= 7
        } while length > 0
        return out + rest
    }
}

/// Redis's protocol (RESP 2).
enum RESP {
    static func command(_ words: [[UInt8]]) -> [UInt8] {
        var out = Array("*\(words.count)\r\n".utf8)
        for word in words { out += Array("$\(word.count)\r\n".utf8) + word + [0x0D, 0x0A] }
        return out
    }

    /// Where the value that begins at `offset` ends; nil when it is not complete.
    static func end(_ bytes: UnsafeBufferPointer<UInt8>, from offset: Int) -> Int? {
        guard let line = Reading.find("\r\n", bytes, in: offset..<bytes.count).map({ $0 + 2 }) else { return nil }
        switch bytes[offset] {
        case UInt8(ascii: "$"):
            let count = number(bytes, offset + 1)
            let end = count < 0 ? line : line + count + 2
            return end <= bytes.count ? end : nil
        case UInt8(ascii: "*"):
            var at = line
            for _ in 0..<max(0, number(bytes, offset + 1)) {
                guard at < bytes.count, let next = end(bytes, from: at) else { return nil }
                at = next
            }
            return at
        default: return line
        }
    }

    private static func number(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int) -> Int {
        var value = 0
        var at = offset
        let isNegative = bytes[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        while at < bytes.count, case 0x30...0x39 = bytes[at], value < 1 << 40 {
            value = value * 10 + Int(bytes[at] - 0x30)
            at += 1
        }
        return isNegative ? -value : value
    }
}
