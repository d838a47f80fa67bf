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
        var order: [Int] = []
        order.reserveCapacity(pairs.count)
        var isSorted = true
        for index in pairs.indices where !isNamed(pairs[index].name, "auth_signature") {
            if let last = order.last, precedes(pairs[index].name, pairs[last].name) { isSorted = false }
            order.append(index)
        }
        // Most libraries send them in order. Swift's sort is stable in fact but not in promise: the position decides.
        if !isSorted {
            order.sort { a, b in
                let (first, second) = (pairs[a].name, pairs[b].name)
                return precedes(first, second) || (a < b && !precedes(second, first))
            }
        }
        let bytes = storage.span
        out.append(bytesMax: storage.count + 2 * order.count) { pen in
            for index in order {
                if index != order[0] { pen.write(text: "&") }
                pen.write(bytes: bytes.extracting(pairs[index].name))
                pen.write(text: "=")
                pen.write(bytes: bytes.extracting(pairs[index].value))
            }
        }
    }

    /// The same with `k[0]=a&k[1]=b` joined to `k=a,b`: the PHP library signs the one and sends the other.
    func appendCollapsed(to out: inout [UInt8]) {
        var lines: [(name: Range<Int>, values: [Range<Int>])] = []
        for pair in pairs where !isNamed(pair.name, "auth_signature") {
            guard let base = elementBase(pair.name) else {
                lines.append((pair.name, [pair.value]))
                continue
            }
            if let index = lines.firstIndex(where: { storage[$0.name] == storage[base] }) {
                lines[index].values.append(pair.value)
            } else {
                lines.append((base, [pair.value]))
            }
        }
        let order = lines.indices.sorted { a, b in
            let (first, second) = (lines[a].name, lines[b].name)
            return precedes(first, second) || (a < b && !precedes(second, first))
        }
        for (position, index) in order.enumerated() {
            if position > 0 { out.append(UInt8(ascii: "&")) }
            out.append(contentsOf: storage[lines[index].name])
            out.append(UInt8(ascii: "="))
            for (element, value) in lines[index].values.enumerated() {
                if element > 0 { out.append(UInt8(ascii: ",")) }
                out.append(contentsOf: storage[value])
            }
        }
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
