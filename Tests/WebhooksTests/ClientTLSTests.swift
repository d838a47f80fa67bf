import BrokerCore
import Glibc
import Reactor
@testable import TLS
import Testing
@testable import Webhooks
import Wire

/// Certificates for `hooks.test`, in a directory that goes with the value.
private final class TestAuthority {
    let directory: String
    private let authority: LocalAuthority
    private var files: [String] = []

    static let names = LocalNames(hosts: ["hooks.test"], addresses: [[127, 0, 0, 1]])

    init() throws {
        var template = Array("/tmp/starling-hooks-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { name in
            guard let base = name.baseAddress, let made = mkdtemp(base) else { preconditionFailure("a directory") }
            return String(cString: made)
        }
        authority = try LocalAuthority.make(for: Self.names, host: "test", now: time(nil) - 500 * 86_400)
    }

    deinit {
        for file in files { unlink(file) }
        rmdir(directory)
    }

    func write(_ name: String, _ bytes: [UInt8]) -> String {
        let path = "\(directory)/\(name)"
        files.append(path)
        guard let file = fopen(path, "w") else { preconditionFailure("a test may write into its directory") }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
        return path
    }

    /// The file of the authority's certificate.
    func trusted(_ name: String = "ca.crt") throws -> String { write(name, try authority.pem().certificate) }

    func keeper(_ names: LocalNames = TestAuthority.names, daysAgo: Int = 0) throws -> TLSKeeper {
        let pair = try authority.issue(for: names, now: time(nil) - daysAgo * 86_400)
        return try TLSKeeper([
            TLSFiles(certificate: write("leaf.crt", pair.certificate), key: write("leaf.key", pair.key))
        ])
    }
}

@Suite("Webhooks over TLS") struct ClientTLSTests {
    private static let polite: [ScriptedServer.Step] =
        Array(
            repeating: [.hear, .say(ScriptedServer.ok)], count: 9
        ).flatMap { $0 } + [.hang]
    private let authority: TestAuthority
    private let bench: ClientBench

    init() throws {
        authority = try TestAuthority()
        bench = try ClientBench(ScriptedResolver(["hooks.test": ["127.0.0.1"], "others.test": ["127.0.0.1"]]))
    }

    private func endpoint(
        _ server: ScriptedServer, host: String = "hooks.test", _ change: (inout WebhookEndpoint) -> Void = { _ in }
    ) throws -> WebhookEndpoint {
        let trusted = try authority.trusted()
        return ClientBench.endpoint(port: server.port, host: host, isSecure: true) {
            $0.authority = trusted
            change(&$0)
        }
    }

    private func failure(_ endpoint: WebhookEndpoint) -> AttemptFailure? {
        let attempt = bench.send(endpoint)
        #expect(bench.until { attempt.outcome != nil })
        return attempt.failure
    }

    @Test(arguments: ["hooks.test", "127.0.0.1", "hooks.test."])
    func aServerThatProvesItsNameIsTalkedTo(host: String) throws {
        let server = try ScriptedServer([Self.polite], tls: authority.keeper())
        defer { server.stop() }
        bench.resolver.set("hooks.test.", .success([IPAddress(ipv4: 0x7F00_0001)]))
        let one = try endpoint(server, host: host)
        for number in 0..<3 {
            #expect(bench.deliver(one, body: "{\"n\":\(number)}") == .answered(status: 200, retryAfterSeconds: nil))
        }
        #expect(server.accepted == 1 && server.requests.count == 3 && server.requests[2].hasSuffix("{\"n\":2}"))
        bench.client.cancel(one.id)
        #expect(bench.until { server.open == 0 })
    }

    @Test func aLargeRequestAndALargeAnswerPassWhole() throws {
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"
        let server = try ScriptedServer(
            [[.hear, .say(length), .sayBytes(65_536), .hang]], tls: authority.keeper())
        defer { server.stop() }
        let body = String(repeating: "0123456789abcdef", count: 1 << 17)
        #expect(bench.deliver(try endpoint(server), body: body)?.isSuccess == true)
        #expect(server.requests.first?.hasSuffix(body) == true)
        #expect(bench.client.facts.idleConnections == 1)
    }

    @Test func aKeptConnectionThatEndsAsARequestGoesIsNoFailure() throws {
        let server = try ScriptedServer(
            [[.hear, .say(ScriptedServer.ok), .hear], Self.polite], tls: authority.keeper())
        defer { server.stop() }
        let one = try endpoint(server)
        #expect(bench.deliver(one)?.isSuccess == true && bench.deliver(one)?.isSuccess == true)
        #expect(bench.client.facts.repeated == 1 && server.accepted == 2)
    }

    @Test func whoDoesNotProveItIsNotToldAnything() throws {
        let server = try ScriptedServer([Self.polite], tls: authority.keeper())
        defer { server.stop() }
        let wrongName = failure(try endpoint(server, host: "others.test"))
        #expect(
            wrongName
                == AttemptFailure(
                    .tls, "The server's certificate is for hooks.test, 127.0.0.1, and not for others.test"))
        let stranger = try TestAuthority()
        let unknown = failure(try endpoint(server) { $0.authority = (try? stranger.trusted()) ?? "" })
        #expect(unknown?.kind == .tls && unknown?.text.holds("who is not trusted") == true, "\(unknown as Any)")
        let old = try ScriptedServer([Self.polite], tls: authority.keeper(daysAgo: 450))
        defer { old.stop() }
        let expired = failure(try endpoint(old))
        #expect(expired?.kind == .tls && expired?.text.holds("has expired (it ended on ") == true, "\(expired as Any)")
        #expect(server.requests.isEmpty && old.requests.isEmpty)
    }

    @Test func theFilesOfAnEndpointAreReadAgainWhenTheyChange() throws {
        let server = try ScriptedServer([Self.polite], tls: authority.keeper())
        defer { server.stop() }
        let stranger = try TestAuthority()
        let path = try stranger.trusted()
        let one = try endpoint(server) { $0.authority = path }
        #expect(failure(one)?.kind == .tls)
        let right = try WholeFile.read(authority.trusted(), bytesMax: 1 << 20)
        _ = stranger.write("ca.crt", right)
        #expect(bench.deliver(one)?.isSuccess == true)
    }

    @Test func aFileThatCannotBeReadIsNamed() throws {
        let server = try ScriptedServer([Self.polite], tls: authority.keeper())
        defer { server.stop() }
        let noAuthority = failure(try endpoint(server) { $0.authority = "/nowhere/ca.crt" })
        #expect(noAuthority?.kind == .tls && noAuthority?.text.hasPrefix("/nowhere/ca.crt: ") == true)
        let noOwn = failure(
            try endpoint(server) { ($0.clientCertificate, $0.clientKey) = ("/nowhere/own.crt", "/nowhere/own.key") })
        #expect(noOwn?.kind == .tls && noOwn?.text.hasPrefix("/nowhere/own.crt: ") == true)
    }

    @Test func whoSpeaksNoTLSIsTold() throws {
        let plain = try ScriptedServer([[.say("HTTP/1.1 400 Bad Request\r\n\r\n"), .hang]])
        let rude = try ScriptedServer([[]])
        let mute = try ScriptedServer([[.hang]])
        defer { for one in [plain, rude, mute] { one.stop() } }
        #expect(
            failure(try endpoint(plain)) == AttemptFailure(.tls, "The server speaks no TLS on this port"))
        let gone = failure(try endpoint(rude))
        #expect(gone?.kind == .tls, "\(gone as Any)")
        let attempt = bench.send(try endpoint(mute))
        #expect(
            bench.until { mute.accepted == 1 && bench.loop.isConnected(bench.client.pool.connections.keys.first ?? 0) })
        bench.pass(milliseconds: 4_100)
        #expect(
            attempt.failure
                == AttemptFailure(.timeout, "The TLS handshake with hooks.test:\(mute.port) was not over within 4 s"))
    }

    @Test func aPortWhereNobodyListensIsNoQuestionOfTLS() throws {
        let port = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 1).port
        let server = try ScriptedServer([Self.polite], tls: authority.keeper())
        defer { server.stop() }
        let one = ClientBench.endpoint(port: port, host: "127.0.0.1", isSecure: true) {
            $0.authority = (try? self.authority.trusted()) ?? ""
        }
        #expect(failure(one) == AttemptFailure(.connect, "127.0.0.1:\(port) takes no connection: Connection refused"))
    }
}
