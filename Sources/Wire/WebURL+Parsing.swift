extension WebURL {
    /// Why a text is no URL that a request can go to: a sentence that says what to write instead. It shows nothing of a user name, a path or
    /// a query, which may be secret.
    public struct Fault: Error, Sendable, Equatable {
        public let text: String

        fileprivate init(_ text: String) { self.text = text }
    }

    /// What may be in one; longer ones are cut by somebody on the way.
    public static let bytesMax = 4_096
    /// Of a host (RFC 1035 §2.3.4).
    private static let hostBytesMax = 253

    /// Takes an absolute `http` or `https` URL apart (RFC 3986 §3). Strict: what two programs could read differently is refused, and nothing is
    /// repaired. Any thread.
    public static func parse(_ text: String) throws(Fault) -> WebURL {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { throw Fault("must not be empty; write https://HOST/PATH") }
        guard bytes.count <= bytesMax else { throw Fault("must be at most \(bytesMax) bytes, not \(bytes.count)") }
        try checkCharacters(text)
        let (isSecure, rest) = try split(scheme: bytes)
        let authority = rest.prefix { !isEndOfAuthority($0) }
        guard !authority.contains(UInt8(ascii: "@")) else {
            throw Fault(
                "has a user name or password in it; give them as a header: \"headers\": {\"Authorization\": \"Basic …\"}"
            )
        }
        let target = rest[authority.endIndex...]
        try check(target: target)
        let (name, digits) = try split(authority: authority)
        let host = try Self.host(name, isBracketed: authority.first == Byte.openBracket)
        let port = try Self.port(digits) ?? (isSecure ? 443 : 80)
        let start = target.first == Byte.slash ? "" : "/"
        return WebURL(
            isSecure: isSecure, host: host, port: port, target: start + String(decoding: target, as: UTF8.self))
    }

    private static func isEndOfAuthority(_ byte: UInt8) -> Bool {
        byte == Byte.slash || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }

    // MARK: Characters

    /// Only what RFC 3986 §2 allows somewhere goes on: above all nothing that could end a request line or a header field.
    private static func checkCharacters(_ text: String) throws(Fault) {
        let scalars = text.unicodeScalars
        for edge in [scalars.first, scalars.last] {
            guard let edge, edge.value > 0x20, edge.value != 0x7F else {
                throw Fault("begins or ends with a blank or a line end, which belongs to no URL; leave it out")
            }
        }
        for (place, scalar) in scalars.enumerated() where !isOfURL(scalar) {
            throw fault(of: scalar, at: place + 1, isInHost: isInHost(place, of: scalars))
        }
    }

    /// Unreserved, reserved, and `%`.
    private static func isOfURL(_ scalar: Unicode.Scalar) -> Bool {
        guard let byte = UInt8(exactly: scalar.value) else { return false }
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: return true
        default: return "-._~:/?#[]@!$&'()*+,;=%".utf8.contains(byte)
        }
    }

    private static func isInHost(_ place: Int, of scalars: String.UnicodeScalarView) -> Bool {
        scalars.prefix(place).filter { "/?#".unicodeScalars.contains($0) }.elementsEqual("//".unicodeScalars)
    }

    private static func fault(of scalar: Unicode.Scalar, at place: Int, isInHost: Bool) -> Fault {
        let bytes = Array(String(scalar).utf8)
        var encoded: [UInt8] = []
        Percent.appendEncoded(bytes.span, to: &encoded)
        let written = String(decoding: encoded, as: UTF8.self)
        switch scalar.value {
        case 0x20: return Fault("has a blank at character \(place); a URL writes it as %20")
        case 0..<0x20, 0x7F...0x9F:
            return Fault("has a control character at character \(place); leave it out, or write it as \(written)")
        case 0xA0... where isInHost:
            return Fault(
                "has a host that is not ASCII; write it as DNS has it, in the form that begins with xn-- (punycode)")
        case 0xA0...:
            return Fault("has a character that is not ASCII (character \(place)); a URL writes it as \(written)")
        case UInt32(UInt8(ascii: "\\")):
            return Fault(
                "has a backslash at character \(place); write / between parts, or \(written) for the character")
        default: return Fault("has \(scalar) at character \(place), which a URL writes as \(written)")
        }
    }

    // MARK: Parts

    private static func split(scheme bytes: [UInt8]) throws(Fault) -> (isSecure: Bool, rest: ArraySlice<UInt8>) {
        for (name, isSecure) in [("https://", true), ("http://", false)] {
            let mark = Array(name.utf8)
            guard bytes.count >= mark.count, zip(bytes, mark).allSatisfy({ lowered($0) == $1 }) else { continue }
            return (isSecure, bytes[mark.count...])
        }
        throw Fault("must begin with https:// or http://")
    }

    private static func split(
        authority: ArraySlice<UInt8>
    ) throws(Fault) -> (host: ArraySlice<UInt8>, port: ArraySlice<UInt8>?) {
        let rest: ArraySlice<UInt8>
        let host: ArraySlice<UInt8>
        if authority.first == Byte.openBracket {
            guard let end = authority.firstIndex(of: Byte.closeBracket) else {
                throw Fault("lacks the ] of an IPv6 address")
            }
            (host, rest) = (authority[(authority.startIndex + 1)..<end], authority[(end + 1)...])
        } else {
            host = authority.prefix { $0 != Byte.colon }
            rest = authority[host.endIndex...]
        }
        guard let mark = rest.first else { return (host, nil) }
        guard mark == Byte.colon else { throw Fault("has text between the ] of its host and the port") }
        let port = rest.dropFirst()
        guard !port.contains(Byte.colon) else {
            throw Fault("has an IPv6 address without brackets, or two ports; write [ADDRESS]:PORT")
        }
        return (host, port)
    }

    /// - Returns: nil when there is none: the scheme's own (RFC 3986 §3.2.3).
    private static func port(_ digits: ArraySlice<UInt8>?) throws(Fault) -> UInt16? {
        guard let digits, !digits.isEmpty else { return nil }
        let isNumber = digits.allSatisfy { (Byte.zero...Byte.nine).contains($0) }
        guard isNumber, let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0 else {
            throw Fault("has a port that is none (1 to 65535)")
        }
        return port
    }

    private static func check(target: ArraySlice<UInt8>) throws(Fault) {
        var rest = target
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "#"):
                throw Fault("has a fragment, what begins with #, which is never sent; leave it out, or write # as %23")
            case Byte.openBracket, Byte.closeBracket:
                throw Fault("has [ or ] behind its host, which a URL writes there as %5B and %5D")
            case Byte.percent:
                guard rest.count >= 2, rest.prefix(2).allSatisfy({ Hex.value($0) != nil }) else {
                    throw Fault("has a % without two hexadecimal digits behind it; write the character itself as %25")
                }
            default: break
            }
        }
    }

    // MARK: Hosts

    private static func host(_ bytes: ArraySlice<UInt8>, isBracketed: Bool) throws(Fault) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard !isBracketed else {
            guard !bytes.contains(Byte.percent) else {
                throw Fault("has an address with a zone (%), which means something on one machine only; leave it out")
            }
            guard bytes.contains(Byte.colon), let address = IPAddress(text) else {
                throw Fault("has brackets around something that is no IPv6 address")
            }
            return address.description
        }
        guard !bytes.isEmpty else { throw Fault("has no host; write https://HOST/PATH") }
        if let address = IPAddress(text) { return address.description }
        try check(name: bytes)
        return text.lowercased()
    }

    /// Labels as hosts have them (RFC 1123 §2.1), and `_`, which containers' names have.
    private static func check(name: ArraySlice<UInt8>) throws(Fault) {
        guard name.last != Byte.dot else { throw Fault("has a host that ends with a dot; leave the dot out") }
        let labels = name.split(separator: Byte.dot, omittingEmptySubsequences: false)
        let isName =
            name.count <= hostBytesMax
            && labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != Byte.minus && label.last != Byte.minus
                    && label.allSatisfy(isOfLabel)
            }
        guard isName else {
            throw Fault(
                "has a host that is none: a name has letters, digits, - and _ between its dots, and IPv6 stands in brackets"
            )
        }
        // Resolvers take `127.1`, `2130706433` and `0x7f.1` for addresses (inet_aton), so that they would be another host than they look.
        guard let last = labels.last, !isNumber(last) else {
            throw Fault(
                "has a host that ends in a number and is no IPv4 address; write four numbers from 0 to 255, without leading zeros"
            )
        }
    }

    private static func isOfLabel(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, Byte.minus, UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy({ (Byte.zero...Byte.nine).contains($0) }) { return true }
        guard label.first == Byte.zero, label.count > 1, lowered(label[label.startIndex + 1]) == UInt8(ascii: "x")
        else {
            return false
        }
        return label.dropFirst(2).allSatisfy { Hex.value($0) != nil }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
