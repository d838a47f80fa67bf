import TestSupport
import Testing
import Wire

@testable import BrokerServer

@Suite("What is wrong with a handshake (PW-166)") struct UpgradeFaultTests {
    struct Case: Sendable {
        var fields: String, method = "GET", version = "1.1", trustsProxy = false
        var status = 426, words: [String]
    }

    static let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", version = "Sec-WebSocket-Version: 13"
    static let upgrade = "Upgrade: websocket", connection = "Connection: Upgrade"
    static let advice = "must speak HTTP/1.1 and pass Upgrade and Connection"
    static let client = "connect with a Pusher client library", proxy = ": the proxy in front must"

    static let rows: [Row<Case>] = [
        Row(
            "a person with a browser",
            Case(fields: "", words: ["no Upgrade: websocket header", client, advice])),
        Row(
            "both lost, and the operator said there is a proxy",
            Case(fields: "", trustsProxy: true, words: [proxy, advice])),
        Row("both lost, and a proxy left its mark", Case(fields: "X-Forwarded-For: 1.2.3.4", words: [proxy, advice])),
        Row("both lost, and a proxy left another mark", Case(fields: "Forwarded: proto=http", words: [proxy, advice])),
        Row(
            "nginx as it comes",
            Case(fields: "Connection: close", version: "1.0", words: [proxy, "proxy_http_version 1.1"])),
        Row("Connection lost", Case(fields: upgrade, words: ["Connection header does not name upgrade", advice])),
        Row(
            "Connection replaced",
            Case(fields: upgrade + "\r\nConnection: close", words: ["Connection header does not name upgrade", advice])),
        Row(
            "Upgrade lost", Case(fields: connection, words: ["Connection: upgrade, but no Upgrade: websocket", advice])),
        Row("another upgrade", Case(fields: connection + "\r\nUpgrade: h2c", words: ["no Upgrade: websocket"])),
        Row(
            "whole, but HTTP/1.0",
            Case(
                fields: [upgrade, connection, key, version].joined(separator: "\r\n"), version: "1.0",
                words: ["HTTP/1.0"])),
        Row(
            "HEAD",
            Case(
                fields: [upgrade, connection, key, version].joined(separator: "\r\n"), method: "HEAD",
                words: ["GET request"])),
        Row("HEAD without an upgrade", Case(fields: "", method: "HEAD", words: [client])),
        Row(
            "no version",
            Case(fields: [upgrade, connection, key].joined(separator: "\r\n"), words: ["no Sec-WebSocket-Version"])),
        Row(
            "another version",
            Case(
                fields: [upgrade, connection, key, "Sec-WebSocket-Version: 8"].joined(separator: "\r\n"),
                words: ["Only Sec-WebSocket-Version 13"])),
        Row(
            "no key",
            Case(
                fields: [upgrade, connection, version].joined(separator: "\r\n"), status: 400,
                words: ["no Sec-WebSocket-Key", "must pass"])),
        Row(
            "a key that is none",
            Case(
                fields: [upgrade, connection, version, "Sec-WebSocket-Key: short"].joined(separator: "\r\n"),
                status: 400,
                words: ["base 64 of 16 bytes"])),
    ]

    @Test(arguments: rows) func itIsNamedWithTheRemedy(_ row: Row<Case>) throws {
        let wanted = row.value
        let fault = try #require(try fault(wanted.fields, wanted.method, wanted.version, wanted.trustsProxy))
        #expect(fault.status == wanted.status)
        for word in wanted.words { #expect(fault.text.contains(word)) }
        // Where there is a proxy for sure, a client library is no advice.
        #expect(!fault.text.contains(Self.proxy) || !fault.text.contains(Self.client))
    }

    @Test func aWholeHandshakeHasNone() throws {
        let fields = [Self.upgrade, Self.connection, Self.key, Self.version]
        #expect(try fault(fields.joined(separator: "\r\n"), "GET", "1.1", true) == nil)
        #expect(try fault(fields.reversed().joined(separator: "\r\n"), "GET", "1.1", false) == nil)
    }

    private func fault(_ fields: String, _ method: String, _ version: String, _ trusts: Bool) throws -> UpgradeFault? {
        let lines = fields.isEmpty ? "" : fields + "\r\n"
        let bytes = Array("\(method) /app/k HTTP/\(version)\r\nHost: h\r\n\(lines)\r\n".utf8)
        let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: .init()))
        return UpgradeFault(head, bytes.span, trustsProxy: trusts)
    }
}

@Suite("What counts as TLS (PW-012)") struct TLSFaultTests {
    @Test(
        arguments: [
            ("", false, .plaintext), ("", true, .unsaid), ("https", true, nil), ("https", false, .untrusted),
            ("http", true, .plaintext), ("http", false, .plaintext),
        ] as [(String, Bool, TLSFault?)])
    func onlyATrustedProxyVouches(_ proto: String, _ trustsProxy: Bool, _ expected: TLSFault?) throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: \(proto)\r\n\r\n".utf8)
        let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: .init()))
        #expect(TLSFault(head, trustsProxy: trustsProxy) == expected)
    }

    @Test(arguments: [TLSFault.untrusted, .unsaid, .plaintext]) func theTextFitsACloseFrame(_ fault: TLSFault) {
        #expect(fault.text.utf8.count <= 123)
    }
}
