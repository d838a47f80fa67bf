/// What proxies in front say about how the client came: over TLS or not.
///
/// Each writes it in its own way: `X-Forwarded-Proto: https` (most; `wss` by Traefik on upgrades), lists of one entry a proxy
/// with the client's first, `Forwarded: for=…;proto=https` (RFC 7239), `X-Forwarded-Ssl: on`, `X-Forwarded-Scheme: https`. It is
/// only worth something when the operator trusts the proxy.
struct HTTPForwarded {
    /// The first answer of each header, the one that is asked first at the front.
    private var proto: Bool?
    private var forwarded: Bool?
    private var ssl: Bool?
    private var scheme: Bool?

    /// Nil: nobody said anything. Headers that disagree are not added up: the one most proxies overwrite decides.
    var isTLS: Bool? { proto ?? forwarded ?? ssl ?? scheme }

    /// Books one field line; further lines of a header continue its list. Any thread.
    mutating func addProto(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        proto = proto ?? HTTPText.firstItem(of: value, in: bytes).map { Self.namesTLS($0, bytes) }
    }

    mutating func bookScheme(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        scheme = scheme ?? HTTPText.firstItem(of: value, in: bytes).map { Self.namesTLS($0, bytes) }
    }

    mutating func bookSSL(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        ssl = ssl ?? HTTPText.firstItem(of: value, in: bytes).map { HTTPText.equals($0, "on", in: bytes) }
    }

    /// The first element that names a protocol decides.
    mutating func bookForwarded(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        guard forwarded == nil else { return }
        var offset = value.lowerBound
        while let pair = Self.nextPair(of: value, at: &offset, in: bytes) {
            guard HTTPText.equals(pair.name, "proto", in: bytes) else { continue }
            forwarded = Self.quoted(pair.value, equals: "https", bytes) || Self.quoted(pair.value, equals: "wss", bytes)
            return
        }
    }

    private static func namesTLS(_ scheme: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        HTTPText.equals(scheme, "https", in: bytes) || HTTPText.equals(scheme, "wss", in: bytes)
    }

    /// Compares without case and without the backslashes that a quoted string may have. (RFC 9110 §5.6.4)
    private static func quoted(_ value: Range<Int>, equals text: StaticString, _ bytes: Span<UInt8>) -> Bool {
        var (offset, index) = (value.lowerBound, 0)
        while offset < value.upperBound {
            if bytes[offset] == Byte.backslash, offset + 1 < value.upperBound { offset += 1 }
            guard index < text.utf8CodeUnitCount, bytes[offset] | 0x20 == text.utf8Start[index] else { return false }
            (offset, index) = (offset + 1, index + 1)
        }
        return index == text.utf8CodeUnitCount
    }

    /// The next `name=value` of a list whose elements are separated by commas and their pairs by semicolons; the value is without
    /// its quotes. What is no pair is stepped over, and an open quote ends the line. (RFC 7239 §4)
    private static func nextPair(
        of field: Range<Int>, at offset: inout Int, in bytes: Span<UInt8>
    ) -> (name: Range<Int>, value: Range<Int>)? {
        while offset < field.upperBound {
            let start = offset
            while offset < field.upperBound, !isSeparator(bytes[offset]), bytes[offset] != Byte.equals { offset += 1 }
            let name = HTTPText.trimmed(start..<offset, in: bytes)
            guard offset < field.upperBound, bytes[offset] == Byte.equals else {
                offset += 1
                continue
            }
            offset += 1
            guard let value = pairValue(of: field, at: &offset, in: bytes) else { return nil }
            offset += 1
            if !name.isEmpty { return (name, value) }
        }
        return nil
    }

    /// Steps over a token or a quoted string, up to its separator.
    private static func pairValue(
        of field: Range<Int>, at offset: inout Int, in bytes: Span<UInt8>
    ) -> Range<Int>? {
        while offset < field.upperBound, bytes[offset] == Byte.space || bytes[offset] == Byte.tab { offset += 1 }
        guard offset < field.upperBound, bytes[offset] == Byte.quote else {
            let start = offset
            while offset < field.upperBound, !isSeparator(bytes[offset]) { offset += 1 }
            return HTTPText.trimmed(start..<offset, in: bytes)
        }
        let start = offset + 1
        offset = start
        while offset < field.upperBound, bytes[offset] != Byte.quote {
            offset += bytes[offset] == Byte.backslash ? 2 : 1
        }
        guard offset < field.upperBound else { return nil }
        let value = start..<offset
        while offset < field.upperBound, !isSeparator(bytes[offset]) { offset += 1 }
        return value
    }

    private static func isSeparator(_ byte: UInt8) -> Bool { byte == Byte.comma || byte == Byte.semicolon }
}
