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

    /// The raw query, then the decoded texts.
    private(set) var storage: [UInt8] = []
    private(set) var pairs: [Pair] = []
    let rawCount: Int

    /// Decodes a query as it stood in the request target, without the `?`.
    public init(_ rawQuery: Span<UInt8>) { self.init(rawQuery, plusAsSpace: false) }

    init(_ rawQuery: Span<UInt8>, plusAsSpace: Bool) {
        rawCount = rawQuery.count
        storage.reserveCapacity(2 * rawCount)
        storage.append(bytes: rawQuery)
        pairs.reserveCapacity(8)
        var start = 0
        while start < rawCount {
            var end = start, equals: Int?
            while end < rawCount, rawQuery[end] != UInt8(ascii: "&") {
                if equals == nil, rawQuery[end] == UInt8(ascii: "=") { equals = end }
                end += 1
            }
            if end > start {
                let name = decode(rawQuery.extracting(start..<(equals ?? end)), plusAsSpace)
                for offset in name where 0x41...0x5A ~= storage[offset] { storage[offset] |= 0x20 }
                let value = decode(rawQuery.extracting(equals.map { $0 + 1..<end } ?? end..<end), plusAsSpace)
                pairs.append(Pair(name: name, value: value))
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

    func isNamed(_ range: Range<Int>, _ name: StaticString) -> Bool {
        range.count == name.utf8CodeUnitCount
            && name.withUTF8Buffer { text in storage[range].elementsEqual(text) }
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

    private mutating func decode(_ text: Span<UInt8>, _ plusAsSpace: Bool) -> Range<Int> {
        let start = storage.count
        if !Percent.appendDecoded(text, plusAsSpace: plusAsSpace, to: &storage) { storage.append(bytes: text) }
        return start..<storage.count
    }
}
