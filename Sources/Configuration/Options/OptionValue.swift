import Arguments
import BrokerCore
import Wire

/// The value of an option, apart from where it is stored.
enum OptionValue: Sendable, Equatable {
    case text(String)
    case boolean(Bool)
    case integer(Int)
    /// `nil`: unlimited, written -1.
    case limit(Int?)
    case list([String])
    /// A list that is mostly one text, and then written as one.
    case texts([String])
    case keys([AppSettings.Key])
    case certificates([TLSSettings.Pair])
    case networks(NetworkList)
    case memory(MemoryLimit)

    /// As in a configuration file. Secrets are hidden unless asked for.
    func json(showingSecrets: Bool = false) -> JSONText {
        switch self {
        case .text(let text): .string(text)
        case .memory(.bytes(let bytes)): .literal(String(bytes))
        case .memory(let limit): .string(limit.text)
        case .boolean(let isTrue): .literal(isTrue ? "true" : "false")
        case .integer(let number): .literal(String(number))
        case .limit(let number): .literal(number.map(String.init) ?? "-1")
        case .list(let texts): .array(texts.map(JSONText.string))
        case .texts(let texts): texts.count == 1 ? .string(texts[0]) : .array(texts.map(JSONText.string))
        case .networks(let list):
            list.isEveryone || list.isNobody
                ? .literal(list.isEveryone ? "true" : "false") : .array(list.elements.map(JSONText.string))
        case .keys(let keys):
            .array(
                keys.map { pair in
                    .object([
                        ("key", .string(pair.key)),
                        ("secret", .string(showingSecrets ? pair.secret : OptionValue.redacted)),
                    ])
                })
        case .certificates(let pairs):
            .array(
                pairs.map { pair in
                    let members = [
                        ("certificate", pair.certificate), ("key", pair.key),
                        ("keyPassphraseFile", pair.keyPassphraseFile),
                    ]
                    return .object(members.filter { !$0.1.isEmpty }.map { ($0.0, .string($0.1)) })
                })
        }
    }

    static let redacted = "********"
}

/// How a field is read from text and from a file, and where in the settings it lives. Type and default come
/// from the key path.
enum Field<Settings: Sendable>: Sendable {
    case text(any WritableKeyPath<Settings, String> & Sendable)
    /// Text that is never shown.
    case secret(any WritableKeyPath<Settings, String> & Sendable)
    case boolean(any WritableKeyPath<Settings, Bool> & Sendable)
    case integer(any WritableKeyPath<Settings, Int> & Sendable, ClosedRange<Int>)
    /// One of a few numbers.
    case numbers(any WritableKeyPath<Settings, Int> & Sendable, [Int])
    /// -1 (unlimited) or a number of the range.
    case limit(any WritableKeyPath<Settings, Int?> & Sendable, ClosedRange<Int>)
    case list(any WritableKeyPath<Settings, [String]> & Sendable, of: ListElement)
    /// One text or a list of them, never empty; a flag may be given several times.
    case texts(any WritableKeyPath<Settings, [String]> & Sendable, of: ListElement)
    case keys(any WritableKeyPath<Settings, [AppSettings.Key]> & Sendable)
    case certificates(any WritableKeyPath<Settings, [TLSSettings.Pair]> & Sendable)
    /// All, none, or a list.
    case networks(any WritableKeyPath<Settings, NetworkList> & Sendable)
    /// Bytes, a share of what there is, or nothing.
    case memory(any WritableKeyPath<Settings, MemoryLimit> & Sendable)
    /// The array stands in the middle: the enum keeps its tag in the outer words of a payload, where a leak checker would
    /// no longer know a pointer.
    case words(read: @Sendable (Settings) -> String, [String], write: @Sendable (inout Settings, String) -> Void)

    static func words<Word: RawRepresentable<String> & CaseIterable & Sendable>(
        _ path: any WritableKeyPath<Settings, Word> & Sendable
    ) -> Field {
        .words(
            read: { $0[keyPath: path].rawValue }, Word.allCases.map(\.rawValue),
            write: { if let word = Word(rawValue: $1) { $0[keyPath: path] = word } })
    }

    func read(_ settings: Settings) -> OptionValue {
        switch self {
        case .text(let path), .secret(let path): .text(settings[keyPath: path])
        case .boolean(let path): .boolean(settings[keyPath: path])
        case .integer(let path, _), .numbers(let path, _): .integer(settings[keyPath: path])
        case .limit(let path, _): .limit(settings[keyPath: path])
        case .list(let path, _): .list(settings[keyPath: path])
        case .texts(let path, _): .texts(settings[keyPath: path])
        case .keys(let path): .keys(settings[keyPath: path])
        case .certificates(let path): .certificates(settings[keyPath: path])
        case .networks(let path): .networks(settings[keyPath: path])
        case .memory(let path): .memory(settings[keyPath: path])
        case .words(let read, _, _): .text(read(settings))
        }
    }

    /// The value must be of the field's own kind, as `parse` gives it.
    func write(_ value: OptionValue, to settings: inout Settings) {
        switch (self, value) {
        case (.text(let path), .text(let text)), (.secret(let path), .text(let text)): settings[keyPath: path] = text
        case (.boolean(let path), .boolean(let isTrue)): settings[keyPath: path] = isTrue
        case (.integer(let path, _), .integer(let number)), (.numbers(let path, _), .integer(let number)):
            settings[keyPath: path] = number
        case (.limit(let path, _), .limit(let number)): settings[keyPath: path] = number
        case (.list(let path, _), .list(let texts)), (.texts(let path, _), .texts(let texts)):
            settings[keyPath: path] = texts
        case (.keys(let path), .keys(let keys)): settings[keyPath: path] = keys
        case (.certificates(let path), .certificates(let pairs)): settings[keyPath: path] = pairs
        case (.networks(let path), .networks(let list)): settings[keyPath: path] = list
        case (.memory(let path), .memory(let limit)): settings[keyPath: path] = limit
        case (.words(_, _, let write), .text(let text)): write(&settings, text)
        default: preconditionFailure("a value of another kind than its field: our parser made it")
        }
    }

    /// As a flag it needs no value.
    var isBoolean: Bool {
        switch self {
        case .boolean, .networks: true
        default: false
        }
    }
    /// All flags with its name count.
    var isRepeatable: Bool {
        if case .texts = self { true } else { false }
    }
    /// Holds a secret, so its text is never shown.
    var isSecret: Bool {
        switch self {
        case .secret, .keys: true
        default: false
        }
    }

    /// What a value has to look like: for messages, help and the reference page.
    var expectation: String {
        switch self {
        case .text: "text"
        case .secret: "a secret text"
        case .boolean: "true or false"
        case .integer(_, let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .numbers(_, let numbers): numbers.map(String.init).joined(separator: " or ")
        case .limit(_, let range): "-1 (unlimited) or a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .list: "a list of texts"
        case .texts: "text, or a list of texts"
        case .keys: "a list of {\"key\": …, \"secret\": …}"
        case .certificates: "a list of {\"certificate\": …, \"key\": …, \"keyPassphraseFile\": …}"
        case .words(_, let words, _): words.joined(separator: ", ")
        case .networks: "true, false or a list of networks"
        case .memory: MemoryLimit.expectation
        }
    }
}

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
        case .keys:
            var keys: [AppSettings.Key] = []
            for pair in text.split(separator: ",") {
                guard let colon = pair.firstIndex(of: ":") else {
                    return refusal("key:secret pairs separated by commas")
                }
                keys.append(.init(key: pair[..<colon].trimmed, secret: pair[colon...].dropFirst().trimmed))
            }
            return .success(.keys(keys))
        case .certificates:
            var pairs: [TLSSettings.Pair] = []
            for pair in text.split(separator: ",") {
                let paths = pair.split(separator: ":", omittingEmptySubsequences: false).map(\.trimmed)
                guard paths.count == 2, !paths.contains("") else {
                    return refusal("certificate:key pairs of paths separated by commas")
                }
                pairs.append(.init(certificate: paths[0], key: paths[1]))
            }
            return .success(.certificates(pairs))
        case .networks:
            if let isEveryone = Boolean.parse(text) { return .success(.networks(isEveryone ? .everyone : .nobody)) }
            return Self.networks(text.split(separator: ",").map { ($0.trimmed, nil) }.filter { !$0.0.isEmpty })
        }
    }

    /// A value from a file, for all fields but `keys` and `certificates`, whose problems have places of their own.
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
        case (.texts, .string(let text, _)): return parse(text)
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

/// The words that stand for true and false in variables and flags.
enum Boolean {
    static func parse(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "1", "true", "yes", "on": true
        case "0", "false", "no", "off": false
        default: nil
        }
    }
}

extension StringProtocol {
    var trimmed: String {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
