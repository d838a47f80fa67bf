import CLinux
import Glibc
import Reactor
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Webhooks

/// Keeps what is asked until the test answers.
final class FakeDuties: ControlDuties {
    typealias Reply = @Sendable (ControlReply) -> Void
    private let asked = Mutex<[(ControlRequest, Reply)]>([])

    func answer(_ request: ControlRequest, _ reply: @escaping Reply) { asked.withLock { $0.append((request, reply)) } }

    /// The next question, when it comes. Nil after 10 s.
    func next() -> (request: ControlRequest, reply: Reply)? {
        for _ in 0..<10_000 {
            if let first = asked.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return first }
            usleep(1_000)
        }
        return nil
    }
}

/// A directory that goes with the test.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/starling-control-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    var names: [String] { (DirectoryListing.names(in: path) ?? []).filter { $0 != "." && $0 != ".." }.sorted() }
}

@Suite("The control socket", .serialized)
struct ControlServerTests {
    let directory: ScratchDirectory
    let duties = FakeDuties()

    init() throws { directory = try ScratchDirectory() }

    @Test("A question is answered when the answer comes, from any thread")
    func answer() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let asking = Asking(.endpoints(app: "a"), server.path)
        let (request, reply) = try #require(duties.next())
        #expect(request == .endpoints(app: "a"))
        reply(.changed(events: 3, endpoints: 1))
        // One too many is nobody's.
        reply(.failure(500, "twice"))
        #expect(asking.wait() == .success(.init(status: 200, body: Array("{\"events\":3,\"endpoints\":1}".utf8))))
    }

    @Test("Each of several gets its own answer, whatever their order")
    func several() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let askings = (0..<8).map { Asking(.endpoints(app: String($0)), server.path) }
        var questions: [(request: ControlRequest, reply: FakeDuties.Reply)] = []
        for _ in askings { questions.append(try #require(duties.next())) }
        for (request, reply) in questions.reversed() {
            guard case .endpoints(let app?) = request else { Issue.record("\(request)"); return }
            reply(.failure(404, app))
        }
        for (number, asking) in askings.enumerated() {
            #expect(asking.wait() == .success(.init(status: 404, body: Array("{\"error\":\"\(number)\"}".utf8))))
        }
    }

    @Test("The ninth is sent away, and a place that is free again is given")
    func tooMany() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let askings = (0..<8).map { _ in Asking(.retry(.all), server.path) }
        let questions = try askings.map { _ in try #require(duties.next()) }
        #expect(Asking(.retry(.all), server.path).wait() == .failure(.dismissed))
        for (_, reply) in questions { reply(.changed(events: 0, endpoints: 0)) }
        for asking in askings { #expect(asking.wait().isSuccess) }
        let late = Asking(.retry(.all), server.path)
        try #require(duties.next()).reply(.changed(events: 0, endpoints: 0))
        #expect(late.wait().isSuccess)
    }

    @Test("A large answer comes whole")
    func large() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let asking = Asking(.endpoints(app: nil), server.path)
        let text = String(repeating: "x", count: 8 << 20)
        try #require(duties.next()).reply(.failure(404, text))
        #expect(try asking.wait().get().body.count == text.utf8.count + "{\"error\":\"\"}".utf8.count)
    }

    static let broken: [Row<(sent: String, status: Int)>] = [
        Row("no HTTP", ("hello\r\n", 400)),
        Row("an unknown place", ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404)),
        Row(
            "a body without a length",
            ("POST /webhooks/retry HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411)),
        Row("too large a body", ("POST /webhooks/retry HTTP/1.1\r\nHost: x\r\nContent-Length: 57345\r\n\r\n", 413)),
        Row("too large a head", ("GET /" + String(repeating: "x", count: 8_200), 414)),
    ]

    @Test("What is no question is answered by the socket itself", arguments: broken)
    func malformed(_ row: Row<(sent: String, status: Int)>) throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let stream = try UnixStream(path: server.path, patienceMilliseconds: 10_000)
        try stream.send(row.value.sent)
        let answer = try #require(try stream.receive())
        #expect(String(decoding: answer.bytes, as: UTF8.self).hasPrefix("HTTP/1.1 \(row.value.status) "))
        #expect(String(decoding: answer.bytes, as: UTF8.self).contains("Content-Type: application/json\r\n"))
        #expect(try stream.receive() == nil)
    }

    @Test("A question may come in pieces")
    func pieces() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let stream = try UnixStream(path: server.path, patienceMilliseconds: 10_000)
        let request = ControlRequest.retry(.all)
        for byte in request.message { try stream.send(String(UnicodeScalar(byte))) }
        let question = try #require(duties.next())
        #expect(question.request == request)
        question.reply(.changed(events: 0, endpoints: 0))
        #expect(try stream.receive() != nil)
    }

    @Test("Who does not say all of it is cut off after five seconds")
    func dribble() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let stream = try UnixStream(path: server.path, patienceMilliseconds: 60_000)
        try stream.send("GET /webhooks HTT")
        #expect(try stream.receive() == nil)
    }

    @Test("The socket is this user's alone, and goes with its server")
    func file() throws {
        let server = try ControlServer(in: directory.path, duties)
        var facts = stat()
        #expect(stat(server.path, &facts) == 0)
        #expect(facts.st_mode & 0o777 == 0o600)
        #expect(directory.names == ["control"])
        server.stop()
        #expect(directory.names == [])
        #expect(Asking(.retry(.all), server.path).wait() == .failure(.missing))
    }

    @Test("Who comes later has the place, and keeps it when the first goes")
    func takeover() throws {
        let first = try ControlServer(in: directory.path, duties)
        let successor = FakeDuties()
        let second = try ControlServer(in: directory.path, successor)
        defer { second.stop() }
        first.stop()
        #expect(directory.names == ["control"])
        let asking = Asking(.purge(.all), second.path)
        try #require(successor.next()).reply(.changed(events: 1, endpoints: 0))
        #expect(asking.wait().isSuccess)
    }

    @Test("Whoever waits when it ends is cut off")
    func end() throws {
        let server = try ControlServer(in: directory.path, duties)
        let asking = Asking(.purge(.all), server.path)
        let (_, reply) = try #require(duties.next())
        server.stop()
        #expect(asking.wait() == .failure(.dismissed))
        reply(.changed(events: 1, endpoints: 0))
    }

    @Test("A socket that nobody listens on is said to be abandoned, and replaced")
    func abandoned() throws {
        let path = ControlServer.path(in: directory.path)
        let raw = clinux_unix_listen(path, 0o600, 1)
        clinux_close(raw)
        #expect(Asking(.purge(.all), path).wait() == .failure(.abandoned))
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        let asking = Asking(.purge(.all), path)
        try #require(duties.next()).reply(.changed(events: 1, endpoints: 0))
        #expect(asking.wait().isSuccess)
    }

    @Test("Where there is no directory there is no socket")
    func noDirectory() {
        #expect(throws: IOError.self) { try ControlServer(in: directory.path + "/missing", duties) }
        #expect(ControlServer.path(in: "/a") == "/a/control" && ControlServer.path(in: "/a/") == "/a/control")
    }

    @Test("Who does not answer in time is given up")
    func late() throws {
        let server = try ControlServer(in: directory.path, duties)
        defer { server.stop() }
        #expect(Asking(.purge(.all), server.path, timeoutSeconds: 1).wait() == .failure(.late))
    }
}

/// Somebody who asks, on a thread of their own.
private final class Asking: Sendable {
    typealias Outcome = Result<ControlClient.Answer, ControlClient.Problem>
    private let outcome = Mutex<Outcome?>(nil)

    init(_ request: ControlRequest, _ path: String, timeoutSeconds: Int = 10) {
        let job = Unmanaged.passRetained(
            Job { [self] in
                do throws(ControlClient.Problem) {
                    let answer = try ControlClient.ask(request, at: path, timeoutSeconds: timeoutSeconds)
                    outcome.withLock { $0 = .success(answer) }
                } catch {
                    outcome.withLock { $0 = .failure(error) }
                }
            })
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Job>.fromOpaque(raw).takeRetainedValue().body() }
                return nil
            }, job.toOpaque())
        precondition(status == 0, "a test may start a few threads")
        pthread_detach(thread)
    }

    func wait() -> Outcome {
        for _ in 0..<20_000 {
            if let outcome = outcome.withLock({ $0 }) { return outcome }
            usleep(1_000)
        }
        return .failure(.broken("the test gave up"))
    }

    private final class Job {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

extension Result {
    fileprivate var isSuccess: Bool { (try? get()) != nil }
}
