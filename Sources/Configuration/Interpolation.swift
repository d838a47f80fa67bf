/// `${NAME}` and `${NAME:-default}` inside text; `$${` is a literal `${`. Expanded once: values bring no syntax.
enum Interpolation {
    struct Expanded: Equatable {
        var text = ""
        /// Names without a value and without a default, in order.
        var missing: [String] = []
        /// There was a `${…}`.
        var isInterpolated = false
        /// `${` without its `}`, or something that is no name.
        var isMalformed = false
    }

    static func expand(_ text: String, lookUp: (String) -> String?) -> Expanded {
        var result = Expanded()
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result.text += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result.text += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else {
                    result.isMalformed = true
                    return result
                }
                expand(name: rest.dropFirst(2)[..<end], into: &result, lookUp)
                rest = rest[end...].dropFirst()
            } else {
                result.text += "$"
                rest = rest.dropFirst()
            }
        }
        result.text += rest
        return result
    }

    private static func expand(name: Substring, into result: inout Expanded, _ lookUp: (String) -> String?) {
        var (name, fallback) = (name, Substring?.none)
        if let colon = name.firstIndex(of: ":"), name[colon...].hasPrefix(":-") {
            (name, fallback) = (name[..<colon], name[colon...].dropFirst(2))
        }
        result.isInterpolated = true
        guard isName(name) else { return result.isMalformed = true }
        // Empty counts as unset, as everywhere in the configuration.
        if let value = lookUp(String(name)), !value.isEmpty {
            result.text += value
        } else if let fallback {
            result.text += fallback
        } else {
            result.missing.append(String(name))
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

extension Node {
    /// Expands every string value below; keys stay as they are.
    mutating func interpolate(_ source: SourceText, _ problems: inout ProblemList, lookUp: (String) -> String?) {
        switch content {
        case .string(let text, _):
            let expanded = Interpolation.expand(text, lookUp: lookUp)
            guard expanded.isInterpolated || expanded.isMalformed || expanded.text != text else { return }
            for name in expanded.missing {
                problems.error(
                    source.place(offset), "variable \(name) is not set; ${\(name):-default} would allow that")
            }
            if expanded.isMalformed {
                problems.error(
                    source.place(offset), "malformed ${…}; write ${NAME}, ${NAME:-default}, or $${ for a literal ${")
            }
            content = .string(expanded.text, isInterpolated: expanded.isInterpolated)
        case .array(var elements):
            for index in elements.indices { elements[index].interpolate(source, &problems, lookUp: lookUp) }
            content = .array(elements)
        case .object(var members):
            for index in members.indices { members[index].value.interpolate(source, &problems, lookUp: lookUp) }
            content = .object(members)
        case .number, .boolean, .null, .broken: break
        }
    }
}
