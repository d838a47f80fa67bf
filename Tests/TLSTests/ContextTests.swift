import COpenSSL
import Glibc
import Reactor
import Synchronization
@testable import TLS
import TestSupport
import Testing

@Suite("What TLS is configured with") struct ContextTests {
    let certificates = Certificates()

    private func problem(_ files: TLSFiles) -> String? {
        do throws(TLSProblem) {
            _ = try TLSContext([files])
            return nil
        } catch { return error.text }
    }

    @Test func aBadPairIsToldWithItsFileAndWhy() throws {
        let good = certificates.make("good"), other = certificates.make("other")
        let locked = certificates.make("locked", passphrase: "open sesame")
        let empty = certificates.write("empty.pem", "")
        let missing = certificates.directory + "/missing"
        let noise = certificates.write("noise.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        let wrong = certificates.write("wrong.pass", "close sesame\n")
        let rows: [(String, TLSFiles, [String])] = [
            (
                "no certificate file", TLSFiles(certificate: missing, key: good.key),
                [missing, "certificate", "No such file"]
            ),
            ("no key file", TLSFiles(certificate: good.certificate, key: missing), [missing, "key", "No such file"]),
            ("an empty certificate", TLSFiles(certificate: empty, key: good.key), [empty, "no certificate"]),
            ("an empty key", TLSFiles(certificate: good.certificate, key: empty), [empty, "no private key"]),
            ("swapped", TLSFiles(certificate: good.key, key: good.certificate), [good.key, "no certificate"]),
            (
                "another key", TLSFiles(certificate: good.certificate, key: other.key),
                [other.key, "does not belong", good.certificate]
            ),
            ("a key that is none", TLSFiles(certificate: good.certificate, key: noise), [noise, "cannot be read"]),
            ("no passphrase", TLSFiles(certificate: locked.certificate, key: locked.key), [locked.key, "encrypted"]),
            (
                "the wrong passphrase", TLSFiles(certificate: locked.certificate, key: locked.key, passphrase: wrong),
                [locked.key, wrong, "does not open"]
            ),
            (
                "no passphrase file", TLSFiles(certificate: locked.certificate, key: locked.key, passphrase: missing),
                [missing, "passphrase", "No such file"]
            ),
            ("a weak key", certificates.make("weak", bits: 1_024), ["weak.crt", "too small"]),
        ]
        for (name, files, words) in rows {
            let text = try #require(problem(files), "\(name) was taken")
            for word in words { #expect(text.contains(word), "\(name): \(text)") }
            #expect(!text.contains("sesame"), "no secret in an error")
        }
        #expect(problem(good) == nil && problem(locked) == nil)
        #expect(ERR_peek_error() == 0, "no error is left for others")
    }

    @Test func whenCertificatesEndIsKnownAndToldAhead() throws {
        let now = time(nil)
        let day = 86_400
        let context = try TLSContext([
            certificates.make("long", seconds: 90 * day), certificates.make("soon", seconds: 10 * day + 3_600),
            certificates.make("over", from: -9 * day, seconds: -day), certificates.make("early", from: day),
        ])
        #expect(abs(context.expirySeconds - (now - day)) < 60)
        #expect(context.expiries.map(\.file).map { $0.hasSuffix("soon.crt") } == [false, true, false, false])
        let told = context.warnings(unixSeconds: now, withinSeconds: 14 * day)
        try #require(told.count == 3)
        #expect(told[0].contains("soon.crt") && told[0].contains("expires in 10 days"))
        #expect(told[1].contains("over.crt") && told[1].contains("has expired"))
        #expect(told[2].contains("early.crt") && told[2].contains("not valid yet"))
        #expect(context.warnings(unixSeconds: now, withinSeconds: 9 * day).count == 2)
    }

    /// Which of the pairs a client is shown.
    private func shown(_ keeper: TLSKeeper, host: String?) throws -> String {
        let line = try Line(keeper, host: host)
        line.settle()
        #expect(line.isEstablished)
        let certificate = SSL_get1_peer_certificate(line.client.ssl)
        defer { X509_free(certificate) }
        var name = [CChar](repeating: 0, count: 100)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, &name, 100)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    @Test func theNameThatAClientAsksForChoosesTheCertificate() throws {
        let keeper = try TLSKeeper([
            certificates.make("first", names: "DNS:first.example"),
            certificates.make("second", names: "DNS:second.example,DNS:two.example"),
            certificates.make("wild", names: "DNS:*.wild.example"),
        ])
        let rows = [
            (nil, "first"), ("first.example", "first"), ("second.example", "second"), ("TWO.example", "second"),
            ("a.wild.example", "wild"), ("a.b.wild.example", "first"), ("wild.example", "first"),
            ("unknown.example", "first"),
        ]
        for (host, expected) in rows { #expect(try shown(keeper, host: host) == expected, "\(host ?? "no name")") }
    }

    @Test func aClientThatTrustsNobodyIsTheOneWhoRefuses() throws {
        let files = certificates.make("server"), other = certificates.make("other")
        let keeper = try TLSKeeper([files])
        let trusting = try Line(keeper, client: TLSClientContext(.authority(files.certificate)))
        trusting.settle()
        #expect(trusting.isEstablished)
        for (authority, host) in [(other.certificate, "localhost"), (files.certificate, "elsewhere.example")] {
            let line = try Line(keeper, client: TLSClientContext(.authority(authority)), host: host)
            line.settle()
            #expect(line.client.hasFailed && line.server.failure == .alert)
            #expect(line.client.whyNot.hasPrefix("the server's certificate is not trusted: "))
        }
    }

    @Test func anAddressIsJudgedByTheAddressesOfTheCertificate() throws {
        let files = certificates.make("server", names: "DNS:localhost,IP:127.0.0.1,IP:::1")
        let keeper = try TLSKeeper([files])
        for (host, isRight) in [("127.0.0.1", true), ("::1", true), ("127.0.0.2", false)] {
            let line = try Line(keeper, client: TLSClientContext(.authority(files.certificate)), host: host)
            line.settle()
            #expect(line.isEstablished == isRight, "\(host): \(line.client.whyNot)")
            #expect(SSL_get_servername(line.server.ssl, TLSEXT_NAMETYPE_host_name) == nil, "no name is asked for")
        }
        // A certificate that nobody on this machine vouches for; and one that is believed without a look.
        for (trust, isRight) in [(TLSClientContext.Trust.system, false), (.anybody, true)] {
            let line = try Line(keeper, client: TLSClientContext(trust), host: "elsewhere.example")
            line.settle()
            #expect(line.isEstablished == isRight)
        }
    }

    @Test func anAuthorityThatCannotBeReadIsToldWithWhy() {
        let problem = #expect(throws: TLSProblem.self) { try TLSClientContext(.authority("/nowhere/ca.pem")) }
        #expect(problem?.text == "/nowhere/ca.pem: cannot be used as an authority: No such file or directory")
    }

    @Test func aClientSaysWhyItCannotTalkToAServer() throws {
        let keeper = try TLSKeeper([certificates.make("server")])
        let deaf = try Line(keeper)
        deaf.openClient()
        Line.feed(deaf.client, Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        deaf.openClient()
        #expect(deaf.clientSaw == .failed && deaf.client.whyNot == "the server speaks no TLS on this port")
        let refused = try Line(keeper, client: TLSClientContext(.anybody, offersHTTP: false))
        SSL_set_alpn_protos(refused.client.ssl, [2] + Array("h2".utf8), 3)
        refused.settle()
        #expect(refused.client.whyNot == "the server refused the handshake")
        for one in TLSFailure.allCases { #expect(!one.textOfClient.isEmpty && !one.textOfClient.contains("client")) }
    }

    @Test func onlyHTTP11IsSpoken() throws {
        let keeper = try TLSKeeper([certificates.make("server")])
        func failure(_ offer: [String]) throws -> TLSFailure? {
            let client = try TLSClientContext(.anybody, offersHTTP: false)
            let list = offer.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
            if !list.isEmpty { SSL_CTX_set_alpn_protos(client.context, list, CUnsignedInt(list.count)) }
            let line = try Line(keeper, client: client)
            line.settle()
            #expect(line.isEstablished == (line.server.failure == nil))
            return line.server.failure
        }
        #expect(try failure([]) == nil && failure(["http/1.1"]) == nil && failure(["h2", "http/1.1"]) == nil)
        #expect(try failure(["h2"]) == .applicationProtocol)
    }

    @Test func oldVersionsAndWeakCiphersAreRefusedByName() throws {
        let keeper = try TLSKeeper([
            certificates.make("ec"), certificates.make("rsa", names: "DNS:rsa.example", bits: 2_048),
        ])
        func failure(_ ciphers: String, version: CInt = TLS1_2_VERSION, host: String = "localhost") throws
            -> TLSFailure?
        {
            let client = try TLSClientContext(.anybody, newest: .tls12)
            // SSL_CTRL_SET_MIN_PROTO_VERSION
            SSL_CTX_ctrl(client.context, 123, Int(TLS1_VERSION), nil)
            SSL_CTX_set_security_level(client.context, 0)
            #expect(copenssl_context_set_max_version(client.context, version) == 1)
            #expect(SSL_CTX_set_cipher_list(client.context, ciphers) == 1, "\(ciphers)")
            let line = try Line(keeper, client: client, host: host)
            line.settle()
            return line.server.failure
        }
        #expect(try failure("DEFAULT:@SECLEVEL=0", version: TLS1_1_VERSION) == .version)
        #expect(try failure("DEFAULT:@SECLEVEL=0", version: TLS1_VERSION) == .version)
        for weak in [
            "AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA256",
            "DHE-RSA-AES128-GCM-SHA256",
        ] {
            #expect(try failure(weak + ":@SECLEVEL=0", host: "rsa.example") == .cipher, "\(weak)")
        }
        #expect(try failure("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0") == .cipher)
        for strong in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"] {
            #expect(try failure(strong, host: "rsa.example") == nil, "\(strong)")
        }
    }

    // MARK: Tickets

    /// Time that a test moves.
    private final class Clock: Sendable {
        let seconds = Atomic<UInt64>(1_000)
        func pass(hours: UInt64) { seconds.add(hours * 3_600, ordering: .relaxed) }
    }

    @Test func aTicketsKeyIsReplacedAndTheOneBeforeStillOpens() throws {
        let clock = Clock()
        let keys = TicketKeys { clock.seconds.load(ordering: .relaxed) }
        let first = keys.sealing()
        func opens(_ key: TicketKeys.Key) -> Bool? {
            Array(key.name).withUnsafeBytes { keys.opening(name: $0) }.map(\.isOld)
        }
        clock.pass(hours: 11)
        #expect(keys.sealing().bytes == first.bytes && opens(first) == false)
        clock.pass(hours: 1)
        let second = keys.sealing()
        #expect(second.bytes != first.bytes && opens(first) == true && opens(second) == false)
        clock.pass(hours: 12)
        #expect(opens(first) == nil && opens(second) == true)
        clock.pass(hours: 30)
        #expect(opens(second) == nil, "nobody came for a day")
    }

    @Test("a client that comes back is known by its ticket, also after a reload", arguments: [false, true])
    func resumption(isOld: Bool) throws {
        let keeper = try TLSKeeper([certificates.make("server")])
        let client = try TLSClientContext(.anybody, newest: isOld ? .tls12 : .tls13)
        let first = try Line(keeper, client: client)
        first.settle()
        Line.say(first.server, [1])
        first.settle()
        #expect(first.isEstablished && !first.server.isResumed)
        let session = SSL_get1_session(first.client.ssl)
        defer { SSL_SESSION_free(session) }
        #expect(SSL_SESSION_get_max_early_data(session) == 0, "no data before the handshake is over")
        try keeper.reload()
        let again = try Line(keeper, client: client)
        SSL_set_session(again.client.ssl, session)
        again.settle()
        #expect(again.isEstablished && again.server.isResumed)
        // Another server's keys are others.
        let stranger = try Line(TLSKeeper([certificates.make("stranger")]), client: client)
        SSL_set_session(stranger.client.ssl, session)
        stranger.settle()
        #expect(stranger.isEstablished && !stranger.server.isResumed)
    }

    // MARK: Reload

    @Test func newFilesAreForNewHandshakesAndABadPairKeepsTheOldOne() throws {
        let one = certificates.make("one"), two = certificates.make("two")
        let live = TLSFiles(certificate: certificates.path("live.crt"), key: certificates.path("live.key"))
        func copy(_ files: TLSFiles, certificate: Bool = true, key: Bool = true) throws {
            for (isWanted, from, to) in [
                (certificate, files.certificate, live.certificate), (key, files.key, live.key),
            ] where isWanted {
                let text = try #require(WholeFile.text(from))
                let fresh = certificates.write("fresh", text)
                #expect(rename(fresh, to) == 0)
            }
        }
        try copy(one)
        let keeper = try TLSKeeper([live])
        let room = TLSRoom(keeper)
        let early = try Line(keeper, room)
        #expect(!keeper.hasChanged)
        early.openClient()
        // Half of a swap: told once, nothing changes.
        try copy(two, key: false)
        #expect(keeper.hasChanged)
        #expect(throws: TLSProblem.self) { try keeper.reload() }
        #expect(!keeper.hasChanged && keeper.number == 0)
        #expect(try shown(keeper, host: nil) == "one")
        try copy(two, certificate: false)
        #expect(keeper.hasChanged)
        // What was read is shown when it is put in force, and not before.
        let prepared = try keeper.prepare()
        #expect(keeper.number == 0)
        #expect(try shown(keeper, host: nil) == "one")
        keeper.install(prepared)
        #expect(!keeper.hasChanged && keeper.number == 1)
        #expect(try shown(keeper, host: nil) == "two")
        // Whoever was here stays, with what began.
        early.settle()
        Line.say(early.server, [1, 2])
        early.settle()
        #expect(early.isEstablished && early.clientHeard == [1, 2])
    }
}
