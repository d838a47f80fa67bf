// JSON texts: the cursor, and that what is written from a value reads back as the same value.
#if canImport(Wire)
    import Wire
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    quote(bytes)
    var cursor = JSONCursor()
    guard let value = try? cursor.value(bytes.span), (try? cursor.finish(bytes.span)) != nil else {
        precondition(!walk(bytes.span, whole: true, 0..<bytes.count), "two readings of one text differ")
        return 0
    }
    precondition(String(validating: bytes, as: UTF8.self) != nil, "the text is not UTF-8")
    let isContainer = value.kind == .object || value.kind == .array
    precondition(walk(bytes.span, whole: true, 0..<bytes.count) == isContainer, "two readings of one text differ")
    rewrite(value, bytes)
    return 0
}

/// Walks a container member by member, and the containers in it by cursors of their own.
private func walk(_ bytes: Span<UInt8>, whole: Bool, _ range: Range<Int>) -> Bool {
    var cursor = JSONCursor(at: range.lowerBound, end: range.upperBound)
    do throws(JSONError) {
        var array = cursor
        if (try? array.beginArray(bytes)) != nil {
            cursor = array
            while let element = try cursor.nextElement(bytes) { check(element, bytes) }
        } else {
            try cursor.beginObject(bytes)
            while let (key, value) = try cursor.nextMember(bytes) {
                check(key, bytes)
                check(value, bytes)
            }
        }
        try cursor.finish(bytes)
        return true
    } catch {
        precondition(whole, "a validated container does not read")
        precondition(error.offset <= bytes.count, "the error lies outside the text")
        return false
    }
}

private func check(_ value: JSONValue, _ bytes: Span<UInt8>) {
    switch value.kind {
    case .object, .array: precondition(walk(bytes, whole: false, value.range), "a nested value does not read")
    case .string:
        var decoded: [UInt8] = []
        let isText = JSON.appendDecoded(value, in: bytes, to: &decoded)
        precondition(isText != value.hasLoneSurrogate, "a mark says something else")
        guard isText else { return precondition(decoded.isEmpty, "half of a pair was decoded") }
        precondition(decoded.count == value.decodedBytes, "the decoded length is wrong")
        precondition(String(validating: decoded, as: UTF8.self) != nil, "the decoded text is not UTF-8")
        precondition(JSON.equals(value, decoded.span, in: bytes), "a string differs from itself")
    case .number, .boolean, .null: break
    }
}

/// Stringified text, decoded, is the compact text, which reads as the same kind and stays as it is when compacted again.
private func rewrite(_ value: JSONValue, _ bytes: [UInt8]) {
    var (compact, literal, decoded, twice): ([UInt8], [UInt8], [UInt8], [UInt8]) = ([], [], [], [])
    JSON.appendCompact(value, in: bytes.span, to: &compact)
    JSON.appendStringified(value, in: bytes.span, to: &literal)
    var (inner, outer) = (JSONCursor(), JSONCursor())
    guard let string = try? inner.value(literal.span), (try? inner.finish(literal.span)) != nil,
        let again = try? outer.value(compact.span), (try? outer.finish(compact.span)) != nil
    else { preconditionFailure("what was written does not read") }
    let isText = JSON.appendDecoded(string, in: literal.span, to: &decoded)
    precondition(isText && decoded == compact, "the literal says something else")
    JSON.appendCompact(again, in: compact.span, to: &twice)
    precondition(again.kind == value.kind && twice == compact, "compacting is not stable")
}

/// Any valid text survives quoting.
private func quote(_ bytes: [UInt8]) {
    let isValid = UTF8Check.isValid(bytes.span)
    precondition(isValid == (String(validating: bytes, as: UTF8.self) != nil), "UTF-8 is judged differently")
    guard isValid else { return }
    var (literal, decoded): ([UInt8], [UInt8]) = ([], [])
    JSON.appendQuoted(bytes.span, to: &literal)
    var cursor = JSONCursor()
    guard let string = try? cursor.value(literal.span), (try? cursor.finish(literal.span)) != nil else {
        preconditionFailure("a quoted text does not read")
    }
    let isText = JSON.appendDecoded(string, in: literal.span, to: &decoded)
    precondition(isText && decoded == bytes, "quoting changed the text")
}
