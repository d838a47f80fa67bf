import BrokerCore
import CLinux
import Glibc
import Reactor
import TestSupport
import Testing
@testable import Webhooks
import Wire

@Suite("Names and addresses of endpoints") struct ClientNameTests {
    private static let polite: [ScriptedServer.Step] =
        Array(
            repeating: [.hear, .say(ScriptedServer.ok)], count: 9
        ).flatMap { $0 } + [.hang]

    /// A port of 127.0.0.1 where nobody listens.
    private static func deadPort() throws -> UInt16 {
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 1)
        return listener.port
    }

    @Test func whoTakesNoConnectionIsNamedWithTheReason() throws {
        let bench = try ClientBench()
        let port = try Self.deadPort()
        let attempt = bench.send(ClientBench.endpoint(port: port))
        #expect(bench.until { attempt.outcome != nil })
        #expect(
            attempt.failure == AttemptFailure(.connect, "127.0.0.1:\(port) takes no connection: Connection refused"))
        #expect(bench.client.facts.connections == 0)
    }

    @Test func theNextAddressIsTriedWhenOneRefuses() throws {
        let server = try ScriptedServer([Self.polite])
        defer { server.stop() }
        // Nobody listens on the other two.
        let bench = try ClientBench(ScriptedResolver(["hooks.example": ["127.0.0.2", "127.0.0.3", "127.0.0.1"]]))
        let endpoint = ClientBench.endpoint(port: server.port, host: "hooks.example")
        #expect(bench.deliver(endpoint)?.isSuccess == true)
        #expect(bench.client.facts.dialled == 3 && server.requests.count == 1)
    }

    @Test func whenAllRefuseTheNameIsLookedUpAgainNextTime() throws {
        let port = try Self.deadPort()
        let bench = try ClientBench(ScriptedResolver(["hooks.example": ["127.0.0.1", "127.0.0.2"]]))
        let endpoint = ClientBench.endpoint(port: port, host: "hooks.example")
        for round in 1...2 {
            let attempt = bench.send(endpoint)
            #expect(bench.until { attempt.outcome != nil })
            #expect(attempt.failure?.text == "127.0.0.2:\(port) takes no connection: Connection refused")
            #expect(bench.resolver.asked.count == round)
        }
    }

    @Test func anAddressThatSaysNothingLeavesTimeForTheOthers() throws {
        let server = try ScriptedServer([Self.polite])
        defer { server.stop() }
        // Its accept queue is full, so that the kernel drops whoever else knocks.
        let deaf = clinux_listen("127.0.0.4", server.port, false, 0)
        try #require(deaf >= 0)
        defer { clinux_close(deaf) }
        var inQueue: [CInt] = []
        defer { for one in inQueue { clinux_close(one) } }
        for _ in 0..<3 {
            let one = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            inQueue.append(one)
            _ = try? EventLoopKnock.knock(one, "127.0.0.4", server.port)
        }
        let bench = try ClientBench(ScriptedResolver(["hooks.example": ["127.0.0.4", "127.0.0.1"]]))
        let attempt = bench.send(ClientBench.endpoint(port: server.port, host: "hooks.example"))
        #expect(bench.until { bench.client.facts.dialled == 1 })
        bench.pass(milliseconds: 1_900)
        #expect(bench.client.facts.dialled == 1, "half of the time is its own")
        bench.pass(milliseconds: 200)
        #expect(bench.until { attempt.outcome?.isSuccess == true })
        // The last has what is left.
        let alone = bench.send(ClientBench.endpoint(2, port: server.port, host: "127.0.0.4"))
        bench.run(turns: 5)
        bench.pass(milliseconds: 4_100)
        #expect(
            alone.failure
                == AttemptFailure(.timeout, "127.0.0.4:\(server.port) did not take the connection within 4 s"))
    }

    @Test func everyAddressIsJudgedAndOnlyAllowedOnesAreDialled() throws {
        let server = try ScriptedServer([Self.polite])
        defer { server.stop() }
        let bench = try ClientBench(
            ScriptedResolver([
                "mixed.example": ["2606:4700::1111", "127.0.0.1", "::1"], "inside.example": ["10.1.2.3", "127.0.0.1"],
                "wrong.example": ["0.0.0.0"], "metadata.example": ["169.254.169.254"],
            ]))
        func attempt(_ host: String, _ id: UInt64, allowsPrivate: Bool = false) -> ClientBench.Attempt {
            bench.send(
                ClientBench.endpoint(id, port: server.port, host: host) { $0.allowsPrivate = allowsPrivate })
        }
        let inside = attempt("inside.example", 1), metadata = attempt("metadata.example", 2)
        let wrong = attempt("wrong.example", 3, allowsPrivate: true)
        #expect(bench.until { inside.outcome != nil && metadata.outcome != nil && wrong.outcome != nil })
        #expect(
            inside.failure
                == AttemptFailure(
                    .address,
                    "inside.example is 10.1.2.3, a private address (RFC 1918): webhooks go there only with allowPrivate"
                ))
        #expect(
            metadata.failure?.text
                == "metadata.example is 169.254.169.254, where clouds keep a machine's secrets (metadata): webhooks go there only with allowPrivate"
        )
        #expect(wrong.failure?.text.hasSuffix("webhooks never go there") == true)
        #expect(bench.client.facts.dialled == 0)
        let mixed = attempt("mixed.example", 4)
        #expect(bench.until { bench.client.facts.dialled == 1 || mixed.outcome != nil })
        // It may fail at once where there is no IPv6; nobody else is dialled.
        #expect(mixed.outcome == nil || mixed.failure?.kind == .connect)
        bench.pass(milliseconds: 4_100)
        #expect(mixed.outcome != nil && server.accepted == 0)
    }

    @Test(
        "an address in an odd form, or a name of this machine, is judged by what it stands for",
        arguments: ["127.1", "0x7f.1", "2130706433", "017700000001", "localhost", "localhost.", "0", "0x7f000001"])
    func oddForms(host: String) throws {
        let server = try ScriptedServer([Self.polite])
        defer { server.stop() }
        let bench = try ClientBench(system: SystemResolver())
        let attempt = bench.send(ClientBench.endpoint(port: server.port, host: host) { $0.allowsPrivate = false })
        #expect(bench.until { attempt.outcome != nil })
        // Whether a name with its root is in /etc/hosts, or a question to DNS, is the C library's choice.
        let isUnknown = host == "localhost." && attempt.failure?.kind == .name
        #expect(attempt.failure?.kind == .address || isUnknown, "\(attempt.failure as Any)")
        #expect(server.accepted == 0)
        guard host != "0", !isUnknown else { return }
        #expect(bench.deliver(ClientBench.endpoint(2, port: server.port, host: host))?.isSuccess == true)
    }

    @Test func aNameThatNobodyKnowsIsAFailureOfTheName() throws {
        let bench = try ClientBench()
        let attempt = bench.send(ClientBench.endpoint(port: 1, host: "nobody.example"))
        #expect(bench.until { bench.resolver.asked.count == 1 })
        bench.resolver.answer(
            "nobody.example", .failure(LookupProblem(text: "nobody.example: Name or service not known")))
        #expect(bench.until { attempt.outcome != nil })
        #expect(
            attempt.failure
                == AttemptFailure(.name, "The name cannot be looked up: nobody.example: Name or service not known"))
        #expect(bench.client.facts.lookupFailures == 1)
    }

    @Test func theSystemAnswersForANameThatCannotBe() throws {
        let bench = try ClientBench(system: SystemResolver())
        // Not asked of any server: a label has 63 bytes at most.
        let attempt = bench.send(ClientBench.endpoint(port: 1, host: String(repeating: "a", count: 70) + ".example"))
        #expect(bench.until { attempt.outcome != nil })
        #expect(attempt.failure?.kind == .name, "\(attempt.failure as Any)")
    }

    @Test func theDeadlineCountsFromTheLookup() throws {
        let server = try ScriptedServer([[.hear, .hang]])
        defer { server.stop() }
        let bench = try ClientBench()
        let slow = bench.send(ClientBench.endpoint(1, port: server.port, host: "slow.example"))
        let hung = bench.send(ClientBench.endpoint(2, port: server.port, host: "hung.example"))
        #expect(bench.until { bench.resolver.asked.count == 2 })
        bench.pass(milliseconds: 3_000)
        bench.resolver.answer("slow.example", .success([IPAddress(ipv4: 0x7F00_0001)]))
        #expect(bench.until { server.requests.count == 1 })
        bench.pass(milliseconds: 1_100)
        #expect(slow.failure?.kind == .timeout && slow.failure?.text.holds("did not answer within 4 s") == true)
        #expect(hung.failure == AttemptFailure(.name, "The name hung.example was not looked up within 4 s"))
        // Its thread is still there, and counted; what it brings at last is of use to the next.
        #expect(bench.client.facts.lookupsUnderWay == 1)
        bench.resolver.answer("hung.example", .success([IPAddress(ipv4: 0x7F00_0001)]))
        #expect(bench.until { bench.client.facts.lookupsUnderWay == 0 })
        _ = bench.send(ClientBench.endpoint(2, port: server.port, host: "hung.example"))
        #expect(bench.until { server.requests.count == 2 })
        #expect(bench.resolver.asked.count == 2)
    }
}

enum EventLoopKnock {
    /// Begins a connection that nobody waits for.
    static func knock(_ descriptor: CInt, _ host: String, _ port: UInt16) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

@Suite("Lookups") struct LookupTests {
    private static let second: UInt64 = 1_000_000_000
    private static func time(_ seconds: Double) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1 << 40).after(nanoseconds: UInt64(seconds * 1_000_000_000))
    }
    private static let there = IPAddress(ipv4: 0x0808_0808)

    @Test func aNameIsAskedForOnceByAllAndKnownForAMinute() {
        let resolver = ScriptedResolver()
        var lookups = Lookups(resolver, wake: {})
        for _ in 0..<3 { #expect(lookups.ask("a", now: Self.time(0)) == .pending) }
        #expect(resolver.asked == ["a"] && lookups.underWayCount == 1)
        resolver.answer("a", .success([Self.there]))
        #expect(lookups.hasAnswers)
        let answers = lookups.takeAnswers(now: Self.time(1))
        #expect(answers.count == 1 && answers[0].name == "a" && answers[0].answer == .known([Self.there]))
        #expect(!lookups.hasAnswers && lookups.underWayCount == 0)
        #expect(lookups.ask("a", now: Self.time(60.9)) == .known([Self.there]))
        #expect(lookups.ask("a", now: Self.time(61)) == .pending)
        #expect(lookups.begun == 2 && lookups.failed == 0)
    }

    @Test func aFailureIsKnownForASecond() {
        let resolver = ScriptedResolver()
        var lookups = Lookups(resolver, wake: {})
        _ = lookups.ask("a", now: Self.time(0))
        resolver.answer("a", .failure(LookupProblem(text: "a: no")))
        let failure = Lookups.Answer.failed(AttemptFailure(.name, "The name cannot be looked up: a: no"))
        #expect(lookups.takeAnswers(now: Self.time(1)).map(\.answer) == [failure])
        #expect(lookups.ask("a", now: Self.time(1.9)) == failure)
        #expect(lookups.ask("a", now: Self.time(2)) == .pending && lookups.failed == 1)
    }

    @Test func fourAreUnderWayAndTheOthersWaitInTheirOrder() {
        let resolver = ScriptedResolver()
        var lookups = Lookups(resolver, wake: {})
        for number in 0..<7 { _ = lookups.ask("n\(number)", now: Self.time(0)) }
        #expect(resolver.asked == ["n0", "n1", "n2", "n3"])
        resolver.answer("n2", .success([Self.there]))
        _ = lookups.takeAnswers(now: Self.time(0.1))
        #expect(resolver.asked.suffix(1) == ["n4"] && lookups.underWayCount == 4)
    }

    @Test func namesThatWereSlowDoNotTakeAllPlaces() {
        let resolver = ScriptedResolver()
        var lookups = Lookups(resolver, wake: {})
        let slow = (0..<4).map { "slow\($0)" }
        for name in slow { _ = lookups.ask(name, now: Self.time(0)) }
        for name in slow { resolver.answer(name, .failure(LookupProblem(text: "no"))) }
        _ = lookups.takeAnswers(now: Self.time(10))
        for name in slow { _ = lookups.ask(name, now: Self.time(20)) }
        #expect(lookups.underWayCount == 2)
        // A name that was never slow goes before those that wait.
        _ = lookups.ask("quick", now: Self.time(20))
        _ = lookups.ask("quicker", now: Self.time(20))
        #expect(resolver.asked.suffix(2) == ["quick", "quicker"] && lookups.underWayCount == 4)
        // Who is quick now is not slow any more.
        resolver.answer("slow0", .success([Self.there]))
        _ = lookups.takeAnswers(now: Self.time(21))
        #expect(resolver.asked.last == "slow2" && lookups.underWayCount == 4)
    }

    @Test func oneThatHangsCountsAsSlowBeforeItComesBack() {
        let resolver = ScriptedResolver()
        var lookups = Lookups(resolver, wake: {})
        for number in 0..<3 { _ = lookups.ask("hung\(number)", now: Self.time(0)) }
        resolver.answer("hung2", .failure(LookupProblem(text: "no")))
        _ = lookups.takeAnswers(now: Self.time(5))
        // hung2 is known to be slow, and two that hang are under way.
        _ = lookups.ask("hung2", now: Self.time(7))
        #expect(lookups.underWayCount == 2)
        _ = lookups.ask("quick", now: Self.time(7))
        #expect(lookups.underWayCount == 3)
    }

    @Test func aForgottenNameIsLookedUpAnew() {
        let resolver = ScriptedResolver(["a": ["8.8.8.8"]])
        var lookups = Lookups(resolver, wake: {})
        _ = lookups.ask("a", now: Self.time(0))
        _ = lookups.takeAnswers(now: Self.time(0))
        lookups.forget("a")
        #expect(lookups.ask("a", now: Self.time(1)) == .pending)
    }

    @Test func whoeverComesWhenAThousandWaitIsTurnedAway() {
        var lookups = Lookups(ScriptedResolver(), wake: {})
        for number in 0..<Lookups.waitingMax + Lookups.underWayMax { _ = lookups.ask("n\(number)", now: Self.time(0)) }
        guard case .failed(let failure) = lookups.ask("one more", now: Self.time(0)) else {
            Issue.record("it was taken")
            return
        }
        #expect(failure.kind == .name && failure.text.holds("1024 other names"))
    }
}
