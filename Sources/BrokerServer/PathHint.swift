internal import Wire

/// What was probably meant by a path that leads nowhere; it looks at the configured prefix before it advises.
enum PathHint {
    private static let segmentsMax = 32

    static func text(_ path: Range<Int>, in bytes: Span<UInt8>, prefix: [UInt8]) -> String {
        let shown = String(decoding: prefix, as: UTF8.self)
        if !prefix.isEmpty, let start = RequestPath.end(ofPrefix: prefix.span, in: path, bytes) {
            let rest = start..<path.upperBound
            guard RequestPath.end(ofPrefix: prefix.span, in: rest, bytes) == nil else {
                return
                    "the path prefix \(shown) is there twice: the client (wsPath in pusher-js) and a proxy in front both add it"
            }
            return fault(below: words(of: rest, in: bytes)) ?? general(below: shown)
        }
        let words = words(of: path, in: bytes)
        if let fault = fault(below: words) { return fault }
        guard let entry = words.dropLast().firstIndex(where: { $0 == "app" || $0 == "apps" }) else {
            return general(below: shown)
        }
        guard entry == 0 else { return strange("/" + words[..<entry].joined(separator: "/"), instead: shown) }
        // What is wrong is behind the beginning, or the beginning is missing.
        guard !prefix.isEmpty else { return general(below: shown) }
        return
            "this server has the path prefix \(shown): put it before the path (wsPath in pusher-js, path in the server libraries); "
            + "if a proxy in front takes it away, start the server without --path-prefix"
    }

    /// A path below a prefix that is not the configured one.
    private static func strange(_ prefix: String, instead configured: String) -> String {
        configured.isEmpty
            ? "the path begins with \(prefix), and no path prefix is configured here: drop wsPath in the client, let the proxy in "
                + "front take it away, or start the server with --path-prefix \(prefix)"
            : "the path begins with \(prefix), and the path prefix of this server is \(configured): set wsPath in pusher-js "
                + "(path in the server libraries) to \(configured)"
    }

    /// What is wrong with a path whose prefix, if any, is right; nil: nothing that is known.
    private static func fault(below words: [String]) -> String? {
        if words.starts(with: ["app", "app"]) {
            return "the client puts /app/{key} after wsPath by itself: leave /app out of wsPath"
        }
        if words == ["app"] { return "the app's key is missing after /app/" }
        return nil
    }

    private static func general(below prefix: String) -> String {
        "paths are \(prefix)/app/{key} for WebSocket clients and \(prefix)/apps/{app_id}/… for the HTTP API"
    }

    private static func words(of path: Range<Int>, in bytes: Span<UInt8>) -> [String] {
        var (words, offset): ([String], Int) = ([], path.lowerBound)
        while words.count < segmentsMax, let segment = RequestPath.nextSegment(of: path, at: &offset, in: bytes) {
            let bytes = bytes.extracting(segment.prefix(64))
            words.append(bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
        }
        return words
    }
}
