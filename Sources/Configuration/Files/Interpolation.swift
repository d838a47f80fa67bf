import Arguments

/// `${NAME}` inside text, with the forms of Compose and POSIX shells (XCU §2.6.2); `$${` is a literal `${`.
///
///     ${A:-d} ${A-d}   d when A is not set        ${A:?e} ${A?e}   an error that says e when A is not set
///     ${A:+x} ${A+x}   x when A is set
///
/// With the colon, an empty A counts as not set. The words may hold `${…}` themselves. Values are expanded once: they bring
/// no syntax.
enum Interpolation {
    struct Missing: Equatable {
        var name: String
        /// What `${NAME:?…}` says about it.
        var message: String?
    }

    struct Expanded: Equatable {
        var text = ""
        /// Names without a value and without a default, in order.
        var missing: [Missing] = []
        /// There was a `${…}`.
        var isInterpolated = false
        /// `${` without its `}`, or something that is no name.
        var isMalformed = false
    }

    private static let depthMax = 8

    /// - Parameter lookUp: `nil` when a name is not set, empty text when it is set to nothing.
    static func expand(_ text: String, lookUp: (String) -> String?) -> Expanded {
        var result = Expanded()
        expand(text[...], depth: 1, into: &result, lookUp)
        return result
    }

    private static func expand(
        _ text: Substring, depth: Int, into result: inout Expanded, _ lookUp: (String) -> String?
    ) {
        var rest = text
        while let dollar = rest.utf8.firstIndex(of: UInt8(ascii: "$")) {
            result.text += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result.text += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard depth <= depthMax, let end = closingBrace(of: rest) else {
                    result.isMalformed = true
                    return
                }
                expand(reference: rest[..<end].dropFirst(2), depth: depth, into: &result, lookUp)
                rest = rest[end...].dropFirst()
            } else {
                result.text += "$"
                rest = rest.dropFirst()
            }
        }
        result.text += rest
    }

    /// Where the `${` that the text begins with ends.
    private static func closingBrace(of text: Substring) -> Substring.Index? {
        var (at, depth) = (text.startIndex, 0)
        while at < text.endIndex {
            let rest = text[at...]
            if rest.hasPrefix("$${") {
                at = text.index(at, offsetBy: 3)
                continue
            }
            if rest.hasPrefix("${") {
                depth += 1
            } else if rest.hasPrefix("}") {
                depth -= 1
                if depth == 0 { return at }
            }
            at = text.index(after: at)
        }
        return nil
    }

    /// What stands between the braces.
    private static func expand(
        reference: Substring, depth: Int, into result: inout Expanded, _ lookUp: (String) -> String?
    ) {
        result.isInterpolated = true
        let name = reference.prefix { !":-?+".contains($0) }
        guard isName(name) else { return result.isMalformed = true }
        var form = reference[name.endIndex...]
        let emptyCounts = form.hasPrefix(":")
        if emptyCounts { form = form.dropFirst() }
        let value = lookUp(String(name))
        // Without a form empty counts as unset, as everywhere in the configuration.
        let isSet = emptyCounts || form.isEmpty ? value.map { !$0.isEmpty } ?? false : value != nil
        let word = form.dropFirst()
        switch form.first {
        case nil where !emptyCounts && !isSet: result.missing.append(Missing(name: String(name)))
        case "?" where !isSet:
            result.missing.append(Missing(name: String(name), message: String(word)))
        case "-" where !isSet: expand(word, depth: depth + 1, into: &result, lookUp)
        case "+": if isSet { expand(word, depth: depth + 1, into: &result, lookUp) }
        case "-", "?": result.text += value ?? ""
        case nil where !emptyCounts: result.text += value ?? ""
        default: result.isMalformed = true
        }
    }

    static func isName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
            default: false
            }
        }
    }
}

extension Interpolation.Missing {
    /// For an error: what is missing, and the way out.
    var text: String {
        guard let message, !message.isEmpty else {
            return "variable \(name) is not set; ${\(name):-default} would allow that"
        }
        return "variable \(name) is not set: \(message.shortened)"
    }
}

extension Node {
    /// Expands every string value below; keys stay as they are.
    mutating func interpolate(_ source: SourceText, _ problems: inout ProblemList, lookUp: (String) -> String?) {
        switch content {
        case .string(let text, _):
            guard text.utf8.contains(UInt8(ascii: "$")) else { return }
            let expanded = Interpolation.expand(text, lookUp: lookUp)
            for missing in expanded.missing { problems.error(source.place(offset), missing.text) }
            if expanded.isMalformed {
                problems.error(
                    source.place(offset), "malformed ${…}; write ${NAME}, ${NAME:-default}, or $${ for a literal ${")
            }
            content = .string(expanded.text, isInterpolated: expanded.isInterpolated)
        case .array(var elements):
            // Moved out and back: two owners of the array would copy it at the first change.
            content = .null
            for index in elements.indices { elements[index].interpolate(source, &problems, lookUp: lookUp) }
            content = .array(elements)
        case .object(var members):
            content = .null
            for index in members.indices { members[index].value.interpolate(source, &problems, lookUp: lookUp) }
            content = .object(members)
        case .number, .boolean, .null, .broken: break
        }
    }
}
