internal import Wire

extension ControlRequest {
    /// Reads a request; what it holds besides is refused, because it was meant to do something.
    /// - Throws: what is answered in its place.
    static func parse(
        _ method: HTTPMethod, path: Span<UInt8>, query: Span<UInt8>, body: Span<UInt8>
    ) throws(ControlReply) -> ControlRequest {
        let parts = segments(path)
        guard parts.first == "webhooks", parts.count <= 2 else {
            throw .failure(404, "There is nothing here but /webhooks and what is below it")
        }
        let fields = try ControlFields(query: query)
        switch parts.count == 2 ? parts[1] : "" {
        case "":
            try expect(method, .get, body)
            let app = fields.text("app")
            return try fields.finish(.endpoints(app: app), "app")
        case "attempts":
            try expect(method, .get, body)
            let limit = try fields.number("limit", 1...attemptsMax) ?? attemptsMax
            return try fields.finish(.attempts(app: fields.text("app"), limit: limit), "app", "limit")
        case "retry":
            try expect(method, .post)
            return .retry(try choice(body))
        case "purge":
            try expect(method, .post)
            return .purge(try choice(body))
        case "test":
            try expect(method, .post)
            let fields = try ControlFields(object: body)
            guard let text = fields.text("url") else { throw .failure(400, "The member \"url\" is missing") }
            let test = ControlRequest.test(
                try url(text), app: fields.text("app"), allowsPrivate: fields.isTrue("allowPrivate"))
            return try fields.finish(test, "url", "app", "allowPrivate")
        case let id:
            try expect(method, .get, body)
            return try fields.finish(.explain(try name(id)))
        }
    }

    /// The whole request, for who asks.
    public var message: [UInt8] {
        switch self {
        case .endpoints(let app): Self.get("/webhooks", [("app", app)])
        case .explain(let name): Self.get("/webhooks/\(name)", [])
        case .attempts(let app, let limit):
            Self.get("/webhooks/attempts", [("app", app), ("limit", String(limit))])
        case .retry(let choice): Self.post("/webhooks/retry", Self.object(choice))
        case .purge(let choice): Self.post("/webhooks/purge", Self.object(choice))
        case .test(let url, let app, let allowsPrivate):
            Self.post(
                "/webhooks/test",
                JSONObjectText.of {
                    $0.add("url", url.text)
                    $0.add("app", optional: app)
                    if allowsPrivate { $0.add("allowPrivate", true) }
                })
        }
    }

    // MARK: Reading

    private static func segments(_ path: Span<UInt8>) -> [String] {
        var (parts, offset): ([String], Int) = ([], 0)
        while let range = RequestPath.nextSegment(of: path.indices, at: &offset, in: path) {
            parts.append(path.extracting(range).text)
        }
        return parts
    }

    private static func expect(_ method: HTTPMethod, _ wanted: HTTPMethod, _ body: Span<UInt8>? = nil)
        throws(ControlReply)
    {
        let name = wanted == .get ? "GET" : "POST"
        guard method == wanted else { throw .failure(405, "It is asked with \(name) here") }
        if let body, !body.isEmpty { throw .failure(400, "A \(name) has no body here") }
    }

    private static func name(_ id: String) throws(ControlReply) -> WebhookName {
        guard let name = WebhookName(id) else {
            throw .failure(
                400, "An ID has 16 digits of base 16 (an endpoint's), or those, a dash and up to 16 more (an event's)")
        }
        return name
    }

    private static func url(_ text: String) throws(ControlReply) -> WebURL {
        do throws(WebURL.Fault) { return try WebURL.parse(text) } catch { throw .failure(400, "The URL \(error.text)") }
    }

    private static func choice(_ body: Span<UInt8>) throws(ControlReply) -> WebhookChoice {
        let fields = try ControlFields(object: body)
        switch (fields.text("id"), fields.isTrue("all")) {
        case (let id?, false): return try fields.finish(.one(try name(id)), "id", "all")
        case (nil, true): return try fields.finish(.all, "id", "all")
        default: throw .failure(400, "One of \"id\" and \"all\": true is wanted")
        }
    }

    // MARK: Writing

    private static func object(_ choice: WebhookChoice) -> [UInt8] {
        JSONObjectText.of {
            switch choice {
            case .all: $0.add("all", true)
            case .one(let name): $0.add("id", name.description)
            }
        }
    }

    private static func get(_ path: String, _ fields: [(name: String, value: String?)]) -> [UInt8] {
        var target = Array(path.utf8)
        var mark = UInt8(ascii: "?")
        for field in fields {
            guard let value = field.value else { continue }
            target.append(mark)
            target += Array("\(field.name)=".utf8)
            Percent.appendEncoded(Array(value.utf8).span, to: &target)
            mark = UInt8(ascii: "&")
        }
        return Array("GET ".utf8) + target + Array(" HTTP/1.1\r\nHost: control\r\n\r\n".utf8)
    }

    private static func post(_ path: String, _ body: [UInt8]) -> [UInt8] {
        let head =
            "POST \(path) HTTP/1.1\r\nHost: control\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }
}

extension Span where Element == UInt8 {
    var text: String { withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }
}
