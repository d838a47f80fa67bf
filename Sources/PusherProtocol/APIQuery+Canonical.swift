internal import Wire

/// The third line of the string that libraries sign (Pusher protocol §6.3).
extension APIQuery {
    /// Whether an array in bracket form is there, so that PHP may have signed it as one comma list.
    var hasElements: Bool { pairs.contains { elementBase($0.name) != nil } }

    /// Whether the raw query has a `+`, which a form-style encoder means as a space.
    var hasPlus: Bool { storage[..<rawCount].contains(UInt8(ascii: "+")) }

    /// The same query read by the rules of HTML forms.
    var withPlusAsSpace: APIQuery { APIQuery(storage.span.extracting(0..<rawCount), plusAsSpace: true) }

    /// Appends `k1=v1&k2=v2…`: all parameters but `auth_signature`, sorted by name, those of one name in their order.
    ///
    /// `isCollapsed` joins `k[0]=a&k[1]=b` to `k=a,b`: the PHP library signs the one and sends the other.
    func appendCanonical(isCollapsed: Bool, to out: inout [UInt8]) {
        var lines: [(name: Range<Int>, values: [Range<Int>])] = []
        lines.reserveCapacity(pairs.count)
        for pair in pairs where !isNamed(pair.name, "auth_signature") {
            guard isCollapsed, let base = elementBase(pair.name) else {
                lines.append((pair.name, [pair.value]))
                continue
            }
            if let index = lines.firstIndex(where: { storage[$0.name] == storage[base] }) {
                lines[index].values.append(pair.value)
            } else {
                lines.append((base, [pair.value]))
            }
        }
        // Swift's sort is stable in fact but not in promise, so the position decides explicitly.
        let order = lines.indices.sorted { a, b in
            let first = storage[lines[a].name], second = storage[lines[b].name]
            return first == second ? a < b : first.lexicographicallyPrecedes(second)
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
}
