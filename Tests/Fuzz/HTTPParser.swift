// Request heads, chunked bodies and responses. First byte: what to read; the rest: the peer's bytes.
#if canImport(Wire)
    import Wire
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let input = UnsafeBufferPointer(start: start + 1, count: count - 1)
    switch start[0] & 3 {
    case 0: fuzzHead(input)
    case 2: fuzzResponses(input, answersHead: start[0] & 4 != 0, pieces: Int(start[0] >> 3) + 1)
    default: fuzzChunked(input, pieces: Int(start[0] >> 1) + 1)
    }
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

/// A connection says the same in any pieces, and no limit is passed.
private func fuzzResponses(_ input: UnsafeBufferPointer<UInt8>, answersHead: Bool, pieces: Int) {
    let whole = readResponses(input, answersHead: answersHead, step: max(1, input.count))
    let parts = readResponses(input, answersHead: answersHead, step: max(1, input.count / pieces))
    precondition(whole == parts, "the pieces change the responses")
}

private struct Responses: Equatable {
    var statuses: [Int] = []
    var framings: [HTTPResponseHead.BodyFraming] = []
    /// The bodies one behind the other, and where each ends.
    var bodies: [UInt8] = []
    var ends: [Int] = []
    var consumed = 0
    var failure: HTTPResponseFailure?
}

private func readResponses(_ input: UnsafeBufferPointer<UInt8>, answersHead: Bool, step: Int) -> Responses {
    let limits = HTTPResponseLimits(headBytesMax: 512, fieldsMax: 8, interimMax: 3, bodyBytesMax: 64)
    var (parser, out, end) = (HTTPResponseParser(), Responses(), 0)
    parser.answersHead = answersHead
    do throws(HTTPResponseFailure) {
        while end < input.count {
            end = min(end + step, input.count)
            while let event = try parser.next(input.span.extracting(0..<end), from: &out.consumed, limits: limits) {
                switch event {
                case .head(let head):
                    precondition(head.range.upperBound == out.consumed && head.range.count <= limits.headBytesMax)
                    precondition(100...999 ~= head.status && (200... ~= head.status || head.status == 101))
                    let wishes = HTTPText.values(of: "retry-after", inHead: input.span.extracting(head.range))
                    for range in wishes {
                        let place = head.range.lowerBound + range.lowerBound
                        let seconds = RetryAfter.seconds(input[place..<place + range.count], now: 1_795_996_800)
                        precondition(0...RetryAfter.secondsMax ~= seconds ?? 0, "a wish passed its bounds")
                    }
                    out.statuses.append(head.status)
                    out.framings.append(head.body)
                case .body(let range):
                    precondition(!range.isEmpty && range.upperBound == out.consumed)
                    out.bodies += input[range]
                case .end: out.ends.append(out.bodies.count)
                }
                precondition(
                    out.bodies.count - (out.ends.last ?? 0) <= limits.bodyBytesMax, "the body passed its limit")
            }
        }
        let isWhole = out.ends.count == out.statuses.count
        if !isWhole, try parser.endOfStream() == .end { out.ends.append(out.bodies.count) }
    } catch {
        // Where exactly the bad byte was noticed is no part of the contract.
        out.failure = error
        out.consumed = 0
    }
    return out
}
