internal import Wire

/// Method and path of a request's first line, for the log. The query is left out: it holds keys and signatures.
struct RequestWords {
    static let bytesMax = 256
    let method: String
    let path: String

    init(_ head: Span<UInt8>) {
        let space = UInt8(ascii: " ")
        let methodEnd = head.firstOffset(of: space, in: 0..<min(head.count, Self.bytesMax))
        let start = min(methodEnd + 1, head.count)
        var end = start
        while end < min(head.count, start + Self.bytesMax), head[end] > space, head[end] != UInt8(ascii: "?") {
            end += 1
        }
        (method, path) = (Self.text(head.extracting(0..<methodEnd)), Self.text(head.extracting(start..<end)))
    }

    private static func text(_ bytes: Span<UInt8>) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
