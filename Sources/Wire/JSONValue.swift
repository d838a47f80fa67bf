/// The six kinds of a JSON value (RFC 8259 §3).
public enum JSONKind: UInt8, Sendable { case object, array, string, number, boolean, null }

/// A validated value as a place in the text it was read from; holding one is the proof that the text there is well formed.
public struct JSONValue: Sendable, Equatable {
    /// What the value is.
    public var kind: JSONKind
    /// The answers below, in one byte: a value is copied for every member that is read.
    @usableFromInline let flags: UInt8
    /// Whether a string holds at least one backslash escape.
    @inlinable public var hasEscapes: Bool { flags & 1 != 0 }
    /// Whether a string holds a `\u` escape that is half of a surrogate pair: the grammar allows it (RFC 8259 §8.2), and it
    /// may be passed on as it stands, but it is no text and cannot be decoded to UTF-8.
    @inlinable public var hasLoneSurrogate: Bool { flags & 2 != 0 }
    /// Offsets of the whole literal, quotes and brackets included.
    public var range: Range<Int>
    /// Strings: bytes of UTF-8 after unescaping, a lone surrogate counted as the three of U+FFFD; other kinds: 0.
    public var decodedBytes: Int

    /// Strings: the offsets between the quotes (still escaped). Other kinds: the whole literal.
    @inlinable
    public var content: Range<Int> {
        kind == .string ? range.lowerBound + 1..<range.upperBound - 1 : range
    }

    @inline(__always)
    init(
        _ kind: JSONKind, _ range: Range<Int>, hasEscapes: Bool = false, hasLoneSurrogate: Bool = false,
        decodedBytes: Int = 0
    ) {
        (self.kind, self.range, self.decodedBytes) = (kind, range, decodedBytes)
        flags = (hasEscapes ? 1 : 0) | (hasLoneSurrogate ? 2 : 0)
    }
}

/// Why a text is not JSON, and where.
public struct JSONError: Error, Equatable, Sendable {
    /// The rule that was broken; the raw value is the sentence a person reads.
    public enum Reason: String, Sendable, CaseIterable {
        case unexpectedEnd = "the text ends inside a value"
        case expectedValue = "a value was expected"
        case expectedObject = "an object was expected"
        case expectedArray = "an array was expected"
        case expectedKey = "a member name in double quotes was expected"
        case expectedColon = "a colon was expected"
        case expectedCommaOrEnd = "a comma or the end of the container was expected"
        case invalidNumber = "the number is malformed"
        case invalidEscape = "the escape sequence is malformed"
        case controlCharacter = "a control character in a string must be escaped"
        case invalidUTF8 = "the text is not valid UTF-8"
        case tooDeep = "the value is nested too deeply"
        case trailingBytes = "something follows the value"
    }

    /// The rule that was broken.
    public var reason: Reason
    /// The byte where it was noticed, from the start of the span.
    public var offset: Int

    /// One sentence for the sender.
    public var text: String { "Invalid JSON: \(reason.rawValue) (byte \(offset))" }

    @inline(__always)
    init(_ reason: Reason, at offset: Int) { (self.reason, self.offset) = (reason, offset) }
}
