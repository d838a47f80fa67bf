import BrokerCore
import Wire

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
    case objects(ObjectList<Settings>)
    /// All, none, or a list.
    case networks(any WritableKeyPath<Settings, NetworkList> & Sendable)
    /// Bytes, a share of what there is, or nothing.
    case memory(any WritableKeyPath<Settings, MemoryLimit> & Sendable)
    /// Where a request goes; its query is not shown.
    case url(any WritableKeyPath<Settings, WebURL?> & Sendable)
    /// Header fields of a request, by name; their values are not shown.
    case headers(any WritableKeyPath<Settings, [WebhookEndpoint.Header]> & Sendable)
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
        case .objects(let list): .objects(list.read(settings))
        case .networks(let path): .networks(settings[keyPath: path])
        case .memory(let path): .memory(settings[keyPath: path])
        case .url(let path): .url(settings[keyPath: path])
        case .headers(let path): .headers(settings[keyPath: path])
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
        case (.objects(let list), .objects(let elements)): list.write(elements, &settings)
        case (.networks(let path), .networks(let list)): settings[keyPath: path] = list
        case (.memory(let path), .memory(let limit)): settings[keyPath: path] = limit
        case (.url(let path), .url(let url)): settings[keyPath: path] = url
        case (.headers(let path), .headers(let headers)): settings[keyPath: path] = headers
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
        switch self {
        case .texts, .objects: true
        default: false
        }
    }
    /// Holds a secret, so its text is never shown.
    var isSecret: Bool {
        switch self {
        case .secret, .url, .headers: true
        case .objects(let list): list.isSecret
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
        case .objects(let list): list.expectation
        case .words(_, let words, _): words.joined(separator: ", ")
        case .networks: "true, false or a list of networks"
        case .memory: MemoryLimit.expectation
        case .url: "an http or https URL"
        case .headers: "an object of header names and values"
        }
    }
}
