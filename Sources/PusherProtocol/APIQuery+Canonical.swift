internal import Wire

/// The third line of the string that libraries sign (Pusher protocol §6.3).
extension APIQuery {
    /// Whether an array in bracket form is there, so that PHP may have signed it as one comma list.
    var hasElements: Bool { pairs.contains { elementBase($0.name) != nil } }

    /// Whether the raw query has a `+`, which a form-style encoder means as a space.
    var hasPlus: Bool { storage.span.firstOffset(of: UInt8(ascii: "+"), in: 0..<rawCount) < rawCount }

    /// The same query read by the rules of HTML forms.
    var withPlusAsSpace: APIQuery {
        var query = APIQuery()
        query.read(storage.span.extracting(0..<rawCount), plusAsSpace: true)
        return query
    }

    /// Appends `k1=v1&k2=v2…`: all parameters but `auth_signature`, sorted by name, those of one name in their order.
    func appendCanonical(to out: inout [UInt8]) {
        let ordered = isSorted ? pairs : sortedPairs()
        let bytes = storage.span
        out.append(bytesMax: storage.count + 2 * ordered.count) { pen in
            var isFirst = true
            for pair in ordered where !isNamed(pair.name, "auth_signature") {
                if !isFirst { pen.write(text: "&") }
                isFirst = false
                pen.write(bytes: bytes.extracting(pair.name))
                pen.write(text: "=")
                pen.write(bytes: bytes.extracting(pair.value))
            }
        }
    }

    /// Whether they come in order, the signature aside, as most libraries send them.
    private var isSorted: Bool {
        var last: Range<Int>?
        for pair in pairs where !isNamed(pair.name, "auth_signature") {
            if let last, precedes(pair.name, last) { return false }
            last = pair.name
        }
        return true
    }

    /// Swift's sort is stable in fact but not in promise: the position decides.
    private func sortedPairs() -> [Pair] {
        pairs.indices.sorted { a, b in
            let (first, second) = (pairs[a].name, pairs[b].name)
            return precedes(first, second) || (a < b && !precedes(second, first))
        }.map { pairs[$0] }
    }

    /// The same with `k[0]=a&k[1]=b` joined to `k=a,b`: the PHP library signs the one and sends the other.
    ///
    /// Elements of one name need not stand together; they join the first parameter of that name, be it an element or not.
    /// After sorting, those of one name are neighbours, so that no list is searched: a query is chosen by a stranger.
    func appendCollapsed(to out: inout [UInt8]) {
        let lines = sortedLines()
        var start = 0
        while start < lines.count {
            var end = start + 1
            while end < lines.count, isSameName(lines[start].name, lines[end].name) { end += 1 }
            if start > 0 { out.append(UInt8(ascii: "&")) }
            append(lines[start], to: &out)
            for line in lines[start + 1..<end] where line.isElement {
                out.append(UInt8(ascii: ","))
                out.append(bytes: storage.span, line.value)
            }
            for line in lines[start + 1..<end] where !line.isElement {
                out.append(UInt8(ascii: "&"))
                append(line, to: &out)
            }
            start = end
        }
    }

    /// All parameters but the signature, elements under the name of their list, by name and then by position.
    private func sortedLines() -> [Line] {
        var lines: [Line] = [], isSorted = true
        lines.reserveCapacity(pairs.count)
        for pair in pairs where !isNamed(pair.name, "auth_signature") {
            let base = elementBase(pair.name)
            let line = Line(
                name: base ?? pair.name, value: pair.value, isElement: base != nil, position: lines.count)
            if let last = lines.last, precedes(line.name, last.name) { isSorted = false }
            lines.append(line)
        }
        guard !isSorted else { return lines }
        return lines.sorted { precedes($0.name, $1.name) || ($0.position < $1.position && !precedes($1.name, $0.name)) }
    }

    private struct Line {
        var name: Range<Int>
        var value: Range<Int>
        /// Of the form `k[]` or `k[0]`.
        var isElement: Bool
        var position: Int
    }

    private func append(_ line: Line, to out: inout [UInt8]) {
        out.append(bytes: storage.span, line.name)
        out.append(UInt8(ascii: "="))
        out.append(bytes: storage.span, line.value)
    }

    private func isSameName(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
        storage.span.extracting(a).equals(storage.span.extracting(b))
    }

    /// Whether one name comes before another, byte by byte.
    private func precedes(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
        let bytes = storage.span
        for index in 0..<min(a.count, b.count) {
            let (first, second) = (bytes[a.lowerBound + index], bytes[b.lowerBound + index])
            if first != second { return first < second }
        }
        return a.count < b.count
    }
}
