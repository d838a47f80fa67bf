/// Walks one JSON text, or one container of it, member by member; strict RFC 8259 and fully validating what it passes.
///
/// It holds offsets only and is handed the same span on each call. Typical use:
///
///     var cursor = JSONCursor()
///     try cursor.beginObject(bytes)
///     while let (key, value) = try cursor.nextMember(bytes) { … }
///     try cursor.finish(bytes)
///
/// A nested container is walked by a new cursor over `value.range`. Refused: trailing commas, comments, invalid UTF-8,
/// control characters in strings, a byte-order mark, more than `depthMax` open containers. Halves of surrogate pairs are
/// let through, as the grammar does, and marked (`JSONValue.hasLoneSurrogate`). Duplicate names are the caller's business.
/// After an error the cursor must not be used further.
public struct JSONCursor: Sendable {
    /// `first`/`later`: inside the container, before its first or a later item.
    private enum Place: UInt8 { case outside, first, later }

    /// Where the next call reads on, from the span's start.
    public private(set) var offset: Int
    private let end: Int
    private let depthMax: Int
    private var place = Place.outside

    /// A cursor over the span from `offset` to `end` (nil: all of it). `depthMax`: open containers allowed, 0…63.
    public init(at offset: Int = 0, end: Int? = nil, depthMax: Int = 16) {
        self.offset = max(offset, 0)
        self.end = end ?? .max
        self.depthMax = min(max(depthMax, 0), JSONScanner.depthLimit)
    }

    /// A cursor over one nested value.
    public init(over value: JSONValue, depthMax: Int = 16) {
        self.init(at: value.range.lowerBound, end: value.range.upperBound, depthMax: depthMax)
    }

    /// Enters the object that comes next.
    public mutating func beginObject(_ bytes: Span<UInt8>) throws(JSONError) {
        try begin(bytes, Byte.openBrace, or: .expectedObject)
    }

    /// The next member of the object entered; nil: the object has ended.
    public mutating func nextMember(_ bytes: Span<UInt8>) throws(JSONError) -> (key: JSONValue, value: JSONValue)? {
        let end = min(end, bytes.count)
        guard try moveToItem(bytes, closing: Byte.closeBrace, end: end) else { return nil }
        let key = try JSONScanner.key(bytes, from: offset, end: end)
        let start = try JSONScanner.afterColon(bytes, from: key.range.upperBound, end: end)
        let value = try JSONScanner.value(bytes, from: start, end: end, depth: depthMax - 1)
        offset = value.range.upperBound
        return (key, value)
    }

    /// The name of the next member; nil: the object has ended. Its value is read by the cursor that `nested` gives or by
    /// `memberValue`, one of the two: so that an error in it is known to lie in that member.
    public mutating func nextName(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue? {
        let end = min(end, bytes.count)
        guard try moveToItem(bytes, closing: Byte.closeBrace, end: end) else { return nil }
        let key = try JSONScanner.key(bytes, from: offset, end: end)
        offset = try JSONScanner.afterColon(bytes, from: key.range.upperBound, end: end)
        return key
    }

    /// The value of the member whose name was read last.
    public mutating func memberValue(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let value = try JSONScanner.value(bytes, from: offset, end: min(end, bytes.count), depth: depthMax - 1)
        offset = value.range.upperBound
        return value
    }

    /// A cursor that reads the value of the member whose name was read last, which need not have been validated.
    public var nested: JSONCursor { JSONCursor(at: offset, end: end, depthMax: depthMax - 1) }

    /// Goes on behind a value that `nested` has read to its end.
    public mutating func resume(after nested: JSONCursor) { offset = nested.offset }

    /// Enters the array that comes next.
    public mutating func beginArray(_ bytes: Span<UInt8>) throws(JSONError) {
        try begin(bytes, Byte.openBracket, or: .expectedArray)
    }

    /// The next element of the array entered; nil: the array has ended.
    public mutating func nextElement(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue? {
        let end = min(end, bytes.count)
        guard try moveToItem(bytes, closing: Byte.closeBracket, end: end) else { return nil }
        let value = try JSONScanner.value(bytes, from: offset, end: end, depth: depthMax - 1)
        offset = value.range.upperBound
        return value
    }

    /// Any one value, read whole.
    public mutating func value(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let end = min(end, bytes.count)
        let start = JSONScanner.skipWhitespace(bytes, from: offset, end: end)
        let value = try JSONScanner.value(bytes, from: start, end: end, depth: depthMax)
        offset = value.range.upperBound
        return value
    }

    /// Checks that only white space follows.
    public mutating func finish(_ bytes: Span<UInt8>) throws(JSONError) {
        let end = min(end, bytes.count)
        offset = JSONScanner.skipWhitespace(bytes, from: offset, end: end)
        guard offset >= end else { throw JSONError(.trailingBytes, at: offset) }
    }

    private mutating func begin(
        _ bytes: Span<UInt8>, _ bracket: UInt8, or reason: JSONError.Reason
    ) throws(JSONError) {
        let end = min(end, bytes.count)
        offset = JSONScanner.skipWhitespace(bytes, from: offset, end: end)
        guard offset < end else { throw JSONError(.unexpectedEnd, at: end) }
        guard bytes[offset] == bracket else { throw JSONError(reason, at: offset) }
        guard depthMax > 0 else { throw JSONError(.tooDeep, at: offset) }
        offset += 1
        place = .first
    }

    /// Moves past the comma to the next item's first byte. False: the container closed, and the cursor is outside it.
    @inline(__always)
    private mutating func moveToItem(_ bytes: Span<UInt8>, closing: UInt8, end: Int) throws(JSONError) -> Bool {
        guard place != .outside else { return false }
        offset = JSONScanner.skipWhitespace(bytes, from: offset, end: end)
        guard offset < end else { throw JSONError(.unexpectedEnd, at: end) }
        if bytes[offset] == closing {
            offset &+= 1
            place = .outside
            return false
        }
        if place == .first {
            place = .later
            return true
        }
        guard bytes[offset] == Byte.comma else { throw JSONError(.expectedCommaOrEnd, at: offset) }
        offset = JSONScanner.skipWhitespace(bytes, from: offset &+ 1, end: end)
        return true
    }
}
