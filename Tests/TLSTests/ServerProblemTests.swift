import COpenSSL
import Glibc
import Reactor
@testable import TLS
import Testing

@Suite("Why a client does not trust a server, and whom it trusts") struct ServerProblemTests {
    private let certificates = Certificates()

    private func problem(_ line: Line, host: String = "localhost") -> String {
        line.settle()
        #expect(line.client.hasFailed)
        return line.client.serverProblem(host: host)
    }

    @Test func anExpiredCertificateIsToldWithItsDay() throws {
        let files = certificates.make("old", from: -86_400 * 10, seconds: -86_400)
        let trusting = try TLSClientContext(.authority(files.certificate))
        let text = try problem(Line(TLSKeeper([files]), client: trusting))
        var (parts, day) = (tm(), time(nil) - 86_400)
        gmtime_r(&day, &parts)
        #expect(text.hasPrefix("The server's certificate, or one above it, has expired (it ended on 20"))
        #expect(text.hasSuffix("-\(parts.tm_mday < 10 ? "0" : "")\(parts.tm_mday))"), "\(text)")
        let early = certificates.make("early", from: 86_400)
        let other = try problem(Line(TLSKeeper([early]), client: TLSClientContext(.authority(early.certificate))))
        #expect(other.hasPrefix("The server's certificate, or one above it, is not valid yet (it begins on 20"))
    }

    @Test func whoIsNotKnownIsNamedWithWhatToDo() throws {
        let files = certificates.make("server"), other = certificates.make("other")
        let stranger = try TLSClientContext(.authority(other.certificate))
        #expect(
            try problem(Line(TLSKeeper([files]), client: stranger))
                == "The server's certificate vouches for itself; if that is meant, name a file with it as the endpoint's authority"
        )
        let authority = try LocalAuthority.make(for: .ownMachine, host: "the \"moon\"", now: time(nil))
        let leaf = try authority.issue(for: .ownMachine, now: time(nil))
        let issued = TLSFiles(
            certificate: certificates.write("issued.crt", String(decoding: leaf.certificate, as: UTF8.self)),
            key: certificates.write("issued.key", String(decoding: leaf.key, as: UTF8.self)))
        #expect(
            try problem(Line(TLSKeeper([issued]), client: stranger))
                == "The server's certificate was issued by \"Starling development on the ?moon?\", who is not trusted; "
                + "if that is meant, name a file with that authority's certificate as the endpoint's authority")
        // The authority, or the very certificate, in the file: both are meant.
        for pem in [try authority.pem().certificate, leaf.certificate] {
            let path = certificates.write("trusted.crt", String(decoding: pem, as: UTF8.self))
            let line = try Line(TLSKeeper([issued]), client: TLSClientContext(.authority(path)))
            line.settle()
            #expect(line.isEstablished, "\(line.client.serverProblem(host: "localhost"))")
        }
    }

    @Test func anotherNameIsToldWithThoseOfTheCertificate() throws {
        let files = certificates.make("server")
        let trusting = try TLSClientContext(.authority(files.certificate))
        #expect(
            try problem(
                Line(TLSKeeper([files]), client: trusting, host: "elsewhere.example"), host: "elsewhere.example")
                == "The server's certificate is for localhost, 127.0.0.1, and not for elsewhere.example")
        #expect(
            try problem(Line(TLSKeeper([files]), client: trusting, host: "127.0.0.2"), host: "127.0.0.2")
                == "The server's certificate is for localhost, 127.0.0.1, and not for 127.0.0.2")
        let many = certificates.make("many", names: (1...9).map { "DNS:n\($0).example" }.joined(separator: ","))
        #expect(
            try problem(Line(TLSKeeper([many]), client: TLSClientContext(.authority(many.certificate))))
                == "The server's certificate is for n1.example, n2.example, n3.example, n4.example, n5.example and 4 more, and not for localhost"
        )
    }

    @Test func whoMadeACertificateDoesNotWriteInOurLog() throws {
        let odd = certificates.make("odd", names: "DNS:a\u{1B}[31m\"b\\c.example")
        let text = try problem(Line(TLSKeeper([odd]), client: TLSClientContext(.authority(odd.certificate))))
        #expect(text.hasPrefix("The server's certificate is for a?[31m?b") && !text.contains("\u{1B}"), "\(text)")
    }

    @Test func onlyTheNamesThatAreMeantForItCount() throws {
        // A common name is no name of a server, and a star stands for one whole label.
        let common = certificates.make("localhost", names: "IP:127.0.0.1")
        let star = certificates.make("star", names: "DNS:*.app.test,DNS:w*.part.test")
        for (files, host, isRight) in [
            (common, "localhost", false), (star, "a.app.test", true), (star, "a.b.app.test", false),
            (star, "app.test", false), (star, "www.part.test", false), (star, "a.app.test.", true),
        ] {
            let line = try Line(TLSKeeper([files]), client: TLSClientContext(.authority(files.certificate)), host: host)
            line.settle()
            #expect(line.isEstablished == isRight, "\(host): \(line.client.serverProblem(host: host))")
        }
    }

    @Test(arguments: [false, true]) func aServerThatWantsACertificateGetsOursOrSaysNo(isOld: Bool) throws {
        let files = certificates.make("server"), own = certificates.make("own")
        let keeper = try TLSKeeper([files])
        let context = keeper.context.contexts[0]
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        #expect(SSL_CTX_load_verify_file(context, own.certificate) == 1)
        let newest: TLSClientContext.Version = isOld ? .tls12 : .tls13
        let showing = try Line(
            keeper, client: TLSClientContext(.authority(files.certificate), own: own, newest: newest))
        showing.settle()
        #expect(showing.isEstablished && SSL_get0_peer_certificate(showing.server.ssl) != nil)
        let silent = try Line(keeper, client: TLSClientContext(.authority(files.certificate), newest: newest))
        let text = problem(silent)
        #expect(
            text.hasPrefix("The server refused us in TLS (")
                && text.hasSuffix("it may want a client certificate, or another one than ours"), "\(text)")
    }

    @Test func contextsFollowTheirFiles() throws {
        let first = certificates.make("server"), own = certificates.make("own")
        let contexts = TLSClientContexts()
        let files = TLSClientFiles(authority: first.certificate, certificate: own.certificate, key: own.key)
        let before = try contexts.context(for: files)
        #expect(try contexts.context(for: files) === before)
        #expect(try contexts.context(for: TLSClientFiles(authority: first.certificate)) !== before)
        // Another certificate in the same place; half of it is no context, and is read again.
        let pem = try WholeFile.read(own.certificate, bytesMax: 1 << 20)
        _ = certificates.write("own.crt", "half of it")
        #expect(throws: TLSProblem.self) { try contexts.context(for: files) }
        #expect(throws: TLSProblem.self) { try contexts.context(for: files) }
        _ = certificates.write("own.crt", String(decoding: pem, as: UTF8.self))
        let after = try contexts.context(for: files)
        #expect(after !== before)
        #expect(try contexts.context(for: files) === after)
    }

    @Test func filesThatDoNotBelongTogetherAreToldByName() throws {
        let server = certificates.make("server"), own = certificates.make("own"), other = certificates.make("other")
        func text(_ own: TLSFiles) -> String? {
            do throws(TLSProblem) {
                _ = try TLSClientContext(.authority(server.certificate), own: own)
                return nil
            } catch { return error.text }
        }
        #expect(text(own) == nil)
        #expect(text(TLSFiles(certificate: own.certificate, key: other.key))?.contains(other.key) == true)
        #expect(text(TLSFiles(certificate: "/nowhere/own.crt", key: own.key))?.hasPrefix("/nowhere/own.crt: ") == true)
    }
}
