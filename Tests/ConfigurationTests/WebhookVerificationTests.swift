import PusherProtocol
import Testing

@testable import Configuration

@Suite("webhooks verify") struct WebhookVerificationTests {
    static let body = #"{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a b"}]}"#

    static func signature(_ body: String, _ secret: String = "s") -> String {
        let (bytes, key) = (Array(body.utf8), AppKey(key: "k", secret: secret))
        var digits: [UInt8] = []
        WebhookSignature.append(of: bytes.span, key: key, to: &digits)
        return String(decoding: digits, as: UTF8.self)
    }

    static let config = """
        {"apps": [{"id": "a", "key": "k", "secret": "s", "keys": [{"key": "k2", "secret": "s2"}], "aliases": ["1"]},
          {"id": "b", "key": "l", "secret": "t"}]}
        """

    private func verify(_ arguments: [String], body: String = body, others: [String: String] = [:]) -> CommandOutput? {
        output(["webhooks", "verify"] + arguments, others.merging(["-": body, "c.json": Self.config]) { $1 })
    }

    @Test func whatIsSignedMatches() {
        let signature = Self.signature(Self.body)
        for arguments in [
            ["--secret=s", "--signature=\(signature)"],
            ["--secret=s", "--signature", signature.uppercased(), "--body=-"],
            ["--secret-file=f", "--signature=\(signature)"], ["--secret=s", "--signature=\(signature)\n"],
        ] {
            let result = verify(arguments, others: ["f": "s\n"])
            #expect(result?.exitCode == 0 && result?.standardOutput == "the signature matches\n")
        }
        for (secret, key) in [("s", "k"), ("s2", "k2")] {
            for id in ["a", "1"] {
                let result = verify(["--app", id, "-c", "c.json", "--signature=\(Self.signature(Self.body, secret))"])
                #expect(result?.standardOutput == "the signature matches key \"\(key)\" of app \"a\"\n")
            }
        }
    }

    @Test func aRecordedRequestBringsItsSignature() {
        let signature = Self.signature(Self.body)
        let head = "POST /w HTTP/1.1\r\nHost: a\r\nx-pusher-signature: \(signature)\r\n"
        let bare = head.split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\n")
        for request in [
            head + "\r\n" + Self.body, bare + "\n" + Self.body,
            head + "Content-Length: \(Self.body.utf8.count)\r\n\r\n\(Self.body)\n",
        ] {
            #expect(verify(["--secret=s", "--body=r"], others: ["r": request])?.exitCode == 0)
        }
        #expect(verify(["--secret=s", "--body=r"], others: ["r": "POST /w HTTP/1.1\r\nA: b\r\n\r\n"])?.exitCode == 2)
    }

    static let causes: [(body: String, signature: String, says: String)] = [
        (body + "\n", signature(body), "line end or blanks at its end that were not signed"),
        (body + " \r\n", signature(body), "line end or blanks at its end that were not signed"),
        (body, signature(body + "\n"), "the line end at the end of the body was signed"),
        ("\u{FEFF}" + body, signature(body), "byte order mark"),
        ("{\r\n}", signature("{\n}"), "changed to those of Windows"),
        ("{\"a\": 1}", signature("{\"a\":1}"), "parsed and encoded again"),
        ("{\"a b\":\"c\\\" d\"}", signature("x"), "another secret signed it, or the body was changed"),
        ("", signature(body), "the body is empty"),
        (body, "sha256=" + signature(body), "has no \"sha256=\" in front"),
        (body, String(signature(body).dropLast()), "64 hexadecimal digits"),
        (body, String(signature(body).dropLast()) + "g", "64 hexadecimal digits"),
    ]

    @Test(arguments: causes) func whatDoesNotMatchHasACause(_ body: String, _ signature: String, _ says: String) {
        let result = verify(["--secret=s", "--signature=\(signature)"], body: body)
        #expect(result?.exitCode == 1 && result?.standardOutput == "")
        let text = result?.standardError ?? ""
        #expect(
            text.hasPrefix("starling webhooks verify: the signature does not match: ") && text.contains(says), "\(text)"
        )
    }

    @Test func anotherAppOrABlankInTheSecretIsACause() {
        let other = verify(["--app=a", "-c", "c.json", "--signature=\(Self.signature(Self.body, "t"))"])
        #expect(other?.exitCode == 1)
        #expect(other?.standardError.contains("it is signed with the secret of key \"l\" of app \"b\"") == true)
        let blank = verify(["--secret= s", "--signature=\(Self.signature(Self.body))"])
        #expect(blank?.standardError.contains("the secret has a blank or a line end around it") == true)
    }

    @Test func nothingExpectedIsShown() {
        let expected = Self.signature(Self.body)
        for arguments in [["--secret=s"], ["--app=a", "-c", "c.json"]] {
            let result = verify(arguments + ["--signature=\(String(repeating: "0", count: 64))"])
            #expect(result?.exitCode == 1 && result?.standardError.contains(expected) == false)
        }
    }

    @Test func howItIsCalled() {
        let digits = "--signature=" + String(repeating: "0", count: 64)
        for arguments in [
            [], ["--secret=s", "--app=a", digits], ["--secret=s"], ["--secret=s", digits, "x"],
            ["--secret=s", digits, "--body=gone"],
        ] {
            #expect(verify(arguments)?.exitCode == 2, "\(arguments)")
        }
        #expect(
            verify(["--app=c", "-c", "c.json", digits])?.standardError.hasPrefix("no app has the id \"c\"") == true)
        #expect(verify(["--app=a", "-c", "gone", digits])?.exitCode == 78)
        #expect(output(["webhooks"])?.exitCode == 2)
        #expect(output(["webhooks", "verfy"])?.standardError.contains("did you mean verify?") == true)
        for help in [["webhooks", "--help"], ["help", "webhooks"], ["webhooks", "verify", "--help"]] {
            #expect(output(help)?.standardOutput == HelpText.webhooks)
        }
    }
}
