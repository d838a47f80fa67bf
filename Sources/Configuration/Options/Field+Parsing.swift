import Arguments
import Wire

/// Why a value was refused: a sentence that ends "…, not" what was found.
struct ValueError: Error, Equatable {
    var text: String
    /// Where the fault is, when it is a part of the value.
    var offset: Int?
}

extension Field {
    /// A value from a flag, a variable or an interpolated string. Lists are separated by commas.
    func parse(_ text: String) -> Result<OptionValue, ValueError> {
        switch self {
        case .text, .secret: return .success(.text(text))
        case .boolean:
            guard let isTrue = Boolean.parse(text) else { return refusal("1, 0, true, false, yes, no, on or off") }
            return .success(.boolean(isTrue))
        case .integer, .numbers, .limit:
            guard let number = Int(text) else { return refusal(expectation) }
            return check(number)
        case .words: return check(word: text)
        case .memory: return check(memory: text)
        case .list(_, let element):
            return Self.list(
                text.split(separator: ",").map { ($0.trimmed, nil) }.filter { !$0.0.isEmpty }, of: element)
        case .texts(_, let element):
            return Self.texts(
                text.split(separator: ",").map { ($0.trimmed, nil) }.filter { !$0.0.isEmpty }, of: element)
        case .objects(let list): return list.parse(text)
        case .url: return Self.url(text)
        case .headers: return refusal(expectation)
        case .networks:
            if let isEveryone = Boolean.parse(text) { return .success(.networks(isEveryone ? .everyone : .nobody)) }
            return Self.networks(text.split(separator: ",").map { ($0.trimmed, nil) }.filter { !$0.0.isEmpty })
        }
    }

    /// A value from a file, for all fields but `objects`, which `ObjectReader` reads: their members have places of their own.
    func parse(_ node: Node) -> Result<OptionValue, ValueError> {
        switch (self, node.content) {
        case (.text, .string(let text, _)), (.secret, .string(let text, _)): return .success(.text(text))
        case (.boolean, .boolean(let isTrue)): return .success(.boolean(isTrue))
        case (.integer, .number(let literal)), (.numbers, .number(let literal)), (.limit, .number(let literal)):
            guard let number = Int(literal) else { return refusal(expectation, "\(literal.shortened)") }
            return check(number)
        case (.words, .string(let text, _)): return check(word: text)
        case (.memory, .string(let text, _)), (.memory, .number(let text)): return check(memory: text)
        case (.list(_, let kind), .array(let elements)): return texts(elements).flatMap { Self.list($0, of: kind) }
        case (.texts(_, let kind), .array(let elements)): return texts(elements).flatMap { Self.texts($0, of: kind) }
        case (.texts, .string(let text, _)), (.url, .string(let text, _)): return parse(text)
        case (.headers, .object(let members)): return WebhookHeaders.read(members).map { .headers($0) }
        case (.networks, .boolean(let isEveryone)): return .success(.networks(isEveryone ? .everyone : .nobody))
        case (.networks, .array(let elements)): return texts(elements).flatMap(Self.networks)
        case (.boolean, .string(let text, true)), (.integer, .string(let text, true)),
            (.limit, .string(let text, true)),
            (.numbers, .string(let text, true)), (.list, .string(let text, true)),
            (.networks, .string(let text, true)):
            return parse(text)
        default: return refusal(expectation, node.kindName)
        }
    }

    /// Each element in its one form, or what is wrong with the first that has none.
    private static func list(_ texts: [(text: String, offset: Int?)], of kind: ListElement) -> Result<
        OptionValue, ValueError
    > {
        var elements: [String] = []
        for (text, offset) in texts {
            switch kind.parse(text) {
            case .success(let element): elements.append(element)
            case .failure(let error): return .failure(ValueError(text: error.text, offset: offset))
            }
        }
        return .success(.list(elements))
    }

    /// One at least, each once.
    private static func texts(_ texts: [(text: String, offset: Int?)], of kind: ListElement) -> Result<
        OptionValue, ValueError
    > {
        list(texts, of: kind).flatMap { value in
            guard case .list(let elements) = value, !elements.isEmpty else {
                return .failure(ValueError(text: "must not be empty"))
            }
            return .success(.texts(elements.enumerated().filter { !elements[..<$0].contains($1) }.map(\.element)))
        }
    }

    private func texts(_ elements: [Node]) -> Result<[(text: String, offset: Int?)], ValueError> {
        var texts: [(String, Int?)] = []
        for element in elements {
            guard case .string(let text, _) = element.content else {
                return .failure(
                    ValueError(
                        text: "must be \(expectation), not one with \(element.kindName) in it", offset: element.offset))
            }
            texts.append((text, element.offset))
        }
        return .success(texts)
    }

    /// All of them, or what is wrong with the first that is none.
    private static func networks(_ texts: [(text: String, offset: Int?)]) -> Result<OptionValue, ValueError> {
        for (text, offset) in texts {
            do throws(NetworkList.Fault) { _ = try NetworkList([text]) } catch {
                let hint = error.isUnknownName ? NearestName.hint(text, in: NetworkList.nameList) : ""
                return .failure(ValueError(text: error.text + hint, offset: offset))
            }
        }
        do throws(NetworkList.Fault) { return .success(.networks(try NetworkList(texts.map(\.text)))) } catch {
            return .failure(ValueError(text: error.text))
        }
    }

    /// The nearest number that the field takes.
    func clamped(_ number: Int) -> Int {
        switch self {
        case .integer(_, let range), .limit(_, let range): min(max(number, range.lowerBound), range.upperBound)
        default: number
        }
    }

    private static func url(_ text: String) -> Result<OptionValue, ValueError> {
        do throws(WebURL.Fault) { return .success(.url(try WebURL.parse(text))) } catch {
            return .failure(ValueError(text: error.text))
        }
    }

    private func check(_ number: Int) -> Result<OptionValue, ValueError> {
        switch self {
        case .integer(_, let range) where range.contains(number): .success(.integer(number))
        case .numbers(_, let numbers) where numbers.contains(number): .success(.integer(number))
        case .limit(_, let range) where range.contains(number): .success(.limit(number))
        case .limit where number == -1: .success(.limit(nil))
        default: refusal(expectation, String(number))
        }
    }

    private func check(word: String) -> Result<OptionValue, ValueError> {
        guard case .words(_, let words, _) = self, !words.contains(word) else { return .success(.text(word)) }
        return .failure(
            ValueError(
                text: "must be one of \(words.joined(separator: ", ")), not \(word.quoted)"
                    + NearestName.hint(word, in: words)))
    }

    private func check(memory text: String) -> Result<OptionValue, ValueError> {
        MemoryLimit(text).map { .success(.memory($0)) } ?? refusal(expectation, Int(text) == nil ? text.quoted : text)
    }

    private func refusal(_ wanted: String, _ found: String? = nil) -> Result<OptionValue, ValueError> {
        .failure(ValueError(text: "must be \(wanted)" + (found.map { ", not \($0)" } ?? "")))
    }
}
