// The query string and the body of an API call: the first line of the input is the query, the rest the body.
#if canImport(PusherProtocol)
    import Crypto
    import PusherProtocol
    import Wire
#endif

private let key = AppKey(key: "k", secret: "s")
private let method = Array("POST".utf8)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let split = bytes.firstIndex(of: 0x0A) ?? bytes.count
    let raw = Array(bytes[..<split]), body = Array(bytes[min(split + 1, bytes.count)...])
    let query = APIQuery(raw.span)
    _ = (query.values("channels"), query.value("info"), try? StateRequest.channels(query))
    _ = try? StateRequest.channelName(segment: raw.span, bytesMax: 200, userIDCharactersMax: 128)
    _ = try? StateRequest.userID(segment: raw.span, charactersMax: 20)
    _ = verify(path: raw, raw, body)
    signed(raw)
    publish(body, query)
    return 0
}

private func verify(path: [UInt8], _ query: [UInt8], _ body: [UInt8]) -> APISignature.Outcome {
    let prefix = Array("/p".utf8)
    let query = APIQuery(query.span)
    let head = APISignature.verifyHead(
        method: method.span, rawPath: path.span, query: query, prefix: prefix.span, keys: [key],
        nowSeconds: 1_700_000_000)
    return head == .ok ? APISignature.verifyBody(body.span, query: query) : head
}

/// Whatever else a query holds, a call signed by the text the refusal shows is accepted (and nothing longer is).
private func signed(_ extra: [UInt8]) {
    // Later duplicates of these change what is signed, not what is checked.
    let base = Array("auth_key=k&auth_timestamp=1700000000&auth_version=1.0&body_md5=".utf8)
    var query = base + Array("d41d8cd98f00b204e9800998ecf8427e&auth_signature=".utf8)
    let path = Array("/apps/1/channels".utf8), zeros = [UInt8](repeating: 0x30, count: 64), end = [0x26] + extra
    guard String(validating: extra, as: UTF8.self) != nil, !extra.contains(0x25) else { return }
    guard case .failure(_, let text) = verify(path: path, query + zeros + end, []) else {
        preconditionFailure("a signature of zeros was accepted")
    }
    guard let line = text.firstIndex(of: "\n"), text.utf8.count < 3_000 else { return }
    let canonical = Array(text[text.index(after: line)...].utf8)
    key.secret.sign(canonical.span).appendHex(to: &query)
    guard case .ok = verify(path: path, query + end, []) else {
        preconditionFailure("the text shown is not the text checked: \(text)")
    }
}

/// An accepted event keeps its limits, and each of its frames is a JSON object of three strings.
private func publish(_ body: [UInt8], _ query: APIQuery) {
    let limits = PayloadLimits(
        channelNameBytesMax: 30, eventNameCharactersMax: 10, eventDataBytesMax: 100, eventChannelsMax: 12,
        batchEventsMax: 3)
    var events: [PublishRequest] = []
    if let event = try? PublishRequest.parse(body: body.span, query: query, limits: limits) { events.append(event) }
    if let batch = try? BatchRequest.parse(body: body.span, limits: limits) { events += batch.events }
    precondition(events.count <= 4, "a batch beyond its limit")
    for event in events {
        precondition(1...12 ~= event.channels.count && event.dataBytes <= 100, "an event beyond its limits")
        for index in event.channels.indices {
            var frame: [UInt8] = []
            event.appendFrame(channel: index, body: body.span, to: &frame)
            var cursor = JSONCursor(), members = 0
            do throws(JSONError) {
                try cursor.beginObject(frame.span)
                while let (_, value) = try cursor.nextMember(frame.span) {
                    precondition(value.kind == .string, "a member is no string")
                    if members == 2 { precondition(value.decodedBytes == event.dataBytes, "the data has another size") }
                    members += 1
                }
                try cursor.finish(frame.span)
            } catch {
                preconditionFailure("a frame does not read: \(error.text)")
            }
            precondition(members == 3, "a frame has other members")
        }
    }
}
