/// Finds what a mistyped name was meant to be.
enum NearestName {
    /// The candidate with the fewest edits, or `nil` when none is near enough to be worth a guess. Case does not count.
    static func of(_ name: String, in candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(64))
        guard !wanted.isEmpty else { return nil }
        let editsMax = max(1, min(3, wanted.count / 3))
        var best: (name: String, edits: Int)?
        for candidate in candidates {
            let edits = distance(wanted, Array(candidate.lowercased().utf8.prefix(64)))
            if edits <= editsMax, edits < best?.edits ?? Int.max { best = (candidate, edits) }
        }
        return best?.name
    }

    /// ` — did you mean X?`, or nothing.
    static func hint(_ name: String, in candidates: some Sequence<String>, quote: String = "\"") -> String {
        of(name, in: candidates).map { " — did you mean \(quote)\($0)\(quote)?" } ?? ""
    }

    /// Edits (insert, delete, replace, swap of neighbours) from one to the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, a) in left.enumerated() {
            var current = [row + 1]
            for (column, b) in right.enumerated() {
                var edits = min(last[column] + (a == b ? 0 : 1), last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, a == right[column - 1], b == left[row - 1] {
                    edits = min(edits, beforeLast[column - 1] + 1)
                }
                current.append(edits)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
