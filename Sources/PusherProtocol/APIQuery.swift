internal import Wire

/// The parameters of an API call's query string, decoded (Pusher protocol §6.3).
///
/// Names are percent-decoded and lower-cased, values percent-decoded; `+` stays `+`. A malformed escape is kept as it
/// stands, since some libraries send their values unescaped. Order and duplicates are kept.
public struct APIQuery: Sendable {
    struct Pair: Sendable {
        /// Both are offsets into `storage`.
        var name: Range<Int>
        var value: Range<Int>
    }

    /// The raw query, then the texts that decoding changed.
    private(set) var storage: [UInt8] = []
    private(set) var pairs: [Pair] = []
    private(set) var rawCount = 0

    /// A query without parameters.
    public init() {}

    /// Decodes a query as it stood in the request target, without the `?`.
    public init(_ rawQuery: Span<UInt8>) { read(rawQuery) }

    /// Decodes another query in the same memory; a loop reads thousands a second.
    public mutating func read(_ rawQuery: Span<UInt8>) { read(rawQuery, plusAsSpace: false) }

    mutating func read(_ raw: Span<UInt8>, plusAsSpace: Bool) {
        rawCount = raw.count
        storage.removeAll(keepingCapacity: true)
        storage.append(bytes: raw)
        pairs.removeAll(keepingCapacity: true)
        let hasEscapes = Percent.containsEscapes(raw, plusAsSpace: plusAsSpace)
        var marks = ByteMarks(of: UInt8(ascii: "&"), or: UInt8(ascii: "="))
        var start = 0
        while start < raw.count {
            var end = marks.next(in: raw)
            let equals = end
            while end < raw.count, raw[end] != UInt8(ascii: "&") { end = marks.next(in: raw) }
            if end > start {
                var (name, value) = (start..<equals, min(equals + 1, end)..<end)
                if hasEscapes {
                    name = decode(raw, name, plusAsSpace)
                    value = decode(raw, value, plusAsSpace)
                }
                pairs.append(Pair(name: lowercased(name), value: value))
            }
            start = end + 1
        }
    }

    /// The first value of a parameter, nil when it was not given. `name` in lower case.
    public func value(_ name: StaticString) -> [UInt8]? {
        place(name).map { Array(storage[$0]) }
    }

    /// All values of a list parameter: `name[]=a&name[]=b`, `name[0]=a&name[1]=b` and plain `name=a`, in order (PW-133).
    public func values(_ name: StaticString) -> [[UInt8]] {
        pairs.filter { isNamed($0.name, name) || isElement($0.name, of: name) }.map { Array(storage[$0.value]) }
    }

    /// The first value of a comma list, or the elements of the bracket forms joined by commas; nil when not given.
    func list(_ name: StaticString) -> [UInt8]? {
        let all = values(name)
        return all.isEmpty ? nil : Array(all.joined(separator: [UInt8(ascii: ",")]))
    }

    func place(_ name: StaticString) -> Range<Int>? {
        pairs.first { isNamed($0.name, name) }?.value
    }

    /// The parameters that say what is asked for, without those that say who asks.
    var withoutAuthentication: APIQuery {
        var query = self
        query.pairs.removeAll { pair in
            isNamed(pair.name, "auth_key") || isNamed(pair.name, "auth_timestamp") || isNamed(pair.name, "auth_version")
                || isNamed(pair.name, "auth_signature") || isNamed(pair.name, "body_md5")
        }
        return query
    }

    func isNamed(_ range: Range<Int>, _ name: StaticString) -> Bool {
        storage.span.equals(range, name)
    }

    private func isElement(_ range: Range<Int>, of name: StaticString) -> Bool {
        guard let base = elementBase(range) else { return false }
        return isNamed(base, name)
    }

    /// The `k` of a parameter named `k[]` or `k[12]`.
    func elementBase(_ name: Range<Int>) -> Range<Int>? {
        guard name.count > 2, storage[name.upperBound - 1] == UInt8(ascii: "]") else { return nil }
        var offset = name.upperBound - 2
        while offset > name.lowerBound, 0x30...0x39 ~= storage[offset] { offset -= 1 }
        guard offset > name.lowerBound, storage[offset] == UInt8(ascii: "[") else { return nil }
        return name.lowerBound..<offset
    }

    /// Where the decoded text is: where it stands when nothing changes, else at the end of `storage`.
    private mutating func decode(_ raw: Span<UInt8>, _ range: Range<Int>, _ plusAsSpace: Bool) -> Range<Int> {
        let text = raw.extracting(range)
        let start = storage.count
        guard Percent.containsEscapes(text, plusAsSpace: plusAsSpace),
            Percent.appendDecoded(text, plusAsSpace: plusAsSpace, to: &storage)
        else {
            return range
        }
        return start..<storage.count
    }

    private mutating func lowercased(_ name: Range<Int>) -> Range<Int> {
        guard storage.span.hasUppercase(in: name) else { return name }
        let start = storage.count
        for offset in name { storage.append(0x41...0x5A ~= storage[offset] ? storage[offset] | 0x20 : storage[offset]) }
        return start..<storage.count
    }
}
