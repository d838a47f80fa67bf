import TestSupport
import Testing
import Wire

@Suite("Paths of requests") struct RequestPathTests {
    @Test(arguments: [
        ("", ""), ("/", "/"), ("//", "/"), ("/a", "/a"), ("/a/", "/a/"), ("//a//b///", "/a/b/"), ("a//b", "/a/b"),
        ("/apps/1/channels/a%2Fb", "/apps/1/channels/a%2Fb"),
    ]) func slashesAreCollapsed(_ path: String, _ expected: String) {
        let bytes = Array("##\(path)//x".utf8)
        var out: [UInt8] = []
        RequestPath.appendCollapsed(2..<2 + path.utf8.count, in: bytes.span, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            ("/ws/app/k", "/ws", "/app/k"), ("//ws//app/k", "/ws", "//app/k"), ("/ws", "/ws", ""), ("/ws/", "/ws", "/"),
            ("/wsx/app", "/ws", nil), ("/w", "/ws", nil), ("", "/ws", nil), ("/a//b/app", "/a/b", "/app"),
            ("/a", "/a/b", nil),
            ("/app", "", "/app"), ("/WS/app", "/ws", nil),
        ] as [(String, String, String?)])
    func aPrefixIsStrippedBySegments(_ path: String, _ prefix: String, _ rest: String?) {
        let bytes = Array("/ws\(path)".utf8), prefix = Array(prefix.utf8)
        let end = RequestPath.end(ofPrefix: prefix.span, in: 3..<bytes.count, bytes.span)
        #expect(end.map { String(decoding: bytes[$0...], as: UTF8.self) } == rest)
    }
}
