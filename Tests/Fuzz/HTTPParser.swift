// Request heads and chunked bodies. First byte: what to read; the rest: the peer's bytes.
#if canImport(Wire)
    import Wire
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let input = UnsafeBufferPointer(start: start + 1, count: count - 1)
    if start[0] & 1 == 0 { fuzzHead(input) } else { fuzzChunked(input, pieces: Int(start[0] >> 1) + 1) }
    return 0
}

/// A head says the same whatever follows it; a refusal stays one when more bytes come; every range lies inside the head.
private func fuzzHead(_ input: UnsafeBufferPointer<UInt8>) {
    let limits = HTTPLimits(headBytesMax: 512, targetBytesMax: 64, headersMax: 8)
    var refusal: HTTPFailure?
    var head: HTTPRequestHead?
    let step = max(1, input.count / 32)
    for cut in Array(stride(from: 0, to: input.count, by: step)) + [input.count] {
        do throws(HTTPFailure) {
            let read = try HTTPRequestParser.parse(input.span.extracting(0..<cut), limits: limits)
            precondition(refusal == nil, "a refused head was accepted later")
            if let head { precondition(read == head, "the head changed with what follows it") }
            head = read
        } catch {
            precondition(head == nil, "an accepted head was refused later")
            if let refusal { precondition(refusal == error, "the refusal changed") }
            refusal = error
        }
    }
    guard let head else {
        precondition(refusal != nil || input.count < limits.headBytesMax, "waits beyond its limit")
        return
    }
    precondition(head.headBytes <= min(input.count, limits.headBytesMax), "the head is longer than it may be")
    let fields = [
        head.host, head.origin, head.contentType, head.contentEncoding, head.webSocketKey,
        head.webSocketVersion, head.webSocketProtocol, head.forwardedFor,
    ]
    for range in [head.methodRange, head.target, head.path, head.query] + fields.compactMap({ $0 }) {
        precondition(range.upperBound <= head.headBytes, "a field lies outside the head")
        for offset in range { precondition(input[offset] >= 0x20 || input[offset] == 9, "a field holds a control") }
    }
    if case .length(let length) = head.body { precondition(length >= 0 && length <= limits.bodyBytesMax) }
}

/// A body decodes to the same bytes in any pieces, and never beyond its limit.
private func fuzzChunked(_ input: UnsafeBufferPointer<UInt8>, pieces: Int) {
    let whole = decode(input, step: max(1, input.count))
    let parts = decode(input, step: max(1, input.count / pieces))
    precondition(whole == parts, "the pieces change the body")
}

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var consumed = 0
    var ended = false
    var failure: HTTPFailure?
}

private func decode(_ input: UnsafeBufferPointer<UInt8>, step: Int) -> Decoded {
    var decoder = HTTPChunkedDecoder()
    var out = Decoded()
    while out.consumed < input.count, !out.ended {
        let end = min(out.consumed + step, input.count)
        do throws(HTTPFailure) {
            out.ended = try decoder.feed(
                input.span.extracting(0..<end), from: &out.consumed, into: &out.body, bodyBytesMax: 64)
        } catch {
            // Where exactly the bad byte was noticed is no part of the contract; the data before it is.
            out.failure = error
            out.consumed = 0
            break
        }
    }
    precondition(out.body.count <= 64, "the body passed its limit")
    return out
}
