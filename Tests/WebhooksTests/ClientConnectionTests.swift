import BrokerCore
import Reactor
import TestSupport
import Testing
@testable import Webhooks
import Wire

@Suite("The client's connections") struct ClientConnectionTests {
    private typealias Server = ScriptedServer
    private static let answered = AttemptOutcome.answered(status: 200, retryAfterSeconds: nil)
    private static let polite: [ScriptedServer.Step] =
        Array(
            repeating: [.hear, .say(ScriptedServer.ok)], count: 20
        ).flatMap { $0 } + [.hang]

    @Test func aConnectionCarriesOneRequestAfterTheOther() throws {
        let server = try Server([Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        for number in 0..<5 { #expect(bench.deliver(endpoint, body: "{\"n\":\(number)}") == Self.answered) }
        #expect(server.accepted == 1 && server.requests.count == 5)
        #expect(
            server.requests[3]
                == "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nContent-Length: 7\r\n\r\n{\"n\":3}")
        let facts = bench.client.facts
        #expect(facts.dialled == 1 && facts.reused == 4 && facts.connections == 1 && facts.idleConnections == 1)
        #expect(facts.lookups == 0 && bench.turns > 0)
    }

    @Test func anAnswerIsNeverToldFromInsideSend() throws {
        let bench = try ClientBench()
        let attempt = bench.send(ClientBench.endpoint(port: 1, host: "10.0.0.1") { $0.allowsPrivate = false })
        #expect(attempt.outcome == nil && bench.client.hasWork())
        bench.run(turns: 1)
        #expect(attempt.failure?.kind == .address)
        #expect(!bench.client.hasWork())
    }

    @Test func theNextRequestMayBeSentWhileOneIsToldOf() throws {
        let server = try Server([Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let request = OutgoingRequest(
            endpoint: ClientBench.endpoint(port: server.port),
            bytes: Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".utf8))
        var outcomes: [AttemptOutcome] = []
        func next() {
            guard outcomes.count < 4 else { return }
            bench.client.send(request) {
                outcomes.append($0)
                next()
            }
        }
        next()
        #expect(bench.until { outcomes.count == 4 })
        #expect(outcomes.allSatisfy { $0 == Self.answered } && bench.client.facts.reused == 3)
    }

    @Test(
        "a request that meets a kept connection as the server closes it goes once more over a fresh one",
        arguments: [false, true])
    func deadConnection(isReset: Bool) throws {
        let once: [Server.Step] = [.hear, .say(Server.ok), .hear] + (isReset ? [.reset] : [])
        let server = try Server([once, Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(bench.deliver(endpoint, body: "[2]") == Self.answered)
        #expect(server.accepted == 2 && server.requests.count == 3)
        #expect(server.requests[1] == server.requests[2], "byte for byte")
        #expect(bench.client.facts.repeated == 1)
    }

    @Test func itGoesOnceMoreAndNotTwice() throws {
        let server = try Server([[.hear, .say(Server.ok), .hear], [.hear]])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        let second = bench.send(endpoint)
        #expect(bench.until { second.outcome != nil })
        #expect(
            second.failure
                == AttemptFailure(.closed, "127.0.0.1:\(server.port) closed the connection without an answer"))
        #expect(server.accepted == 2 && bench.client.facts.repeated == 1)
    }

    @Test func whatHasBegunToBeAnsweredIsNotSentAgain() throws {
        let server = try Server([[.hear, .say(Server.ok), .hear, .say("HTTP/1.1 200 O")], Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        let second = bench.send(endpoint)
        #expect(bench.until { second.outcome != nil })
        #expect(
            second.failure
                == AttemptFailure(.closed, "The server closed the connection in the middle of its answer"))
        #expect(server.accepted == 1 && bench.client.facts.repeated == 0)
    }

    @Test func aFreshConnectionThatIsClosedIsAFailureAtOnce() throws {
        let server = try Server([[.hear]])
        defer { server.stop() }
        let bench = try ClientBench()
        let attempt = bench.send(ClientBench.endpoint(port: server.port))
        #expect(bench.until { attempt.outcome != nil })
        #expect(attempt.failure?.kind == .closed && server.accepted == 1)
    }

    @Test func aConnectionThatTheServerClosesWhileItIsIdleIsForgotten() throws {
        let gate = Server.Gate()
        let server = try Server([[.hear, .say(Server.ok), .await(gate)], Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(bench.client.facts.idleConnections == 1)
        gate.open()
        #expect(bench.until { bench.client.facts.connections == 0 })
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(bench.client.facts.repeated == 0 && bench.client.facts.dialled == 2)
    }

    @Test func oneThatSpeaksUnaskedIsNotUsedAgain() throws {
        let gate = Server.Gate()
        let server = try Server([[.hear, .say(Server.ok), .await(gate), .say(Server.ok), .hang], Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        gate.open()
        #expect(bench.until { bench.client.facts.connections == 0 })
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(server.accepted == 2)
    }

    @Test(
        "what stands behind an answer, or an answer that wants it so, ends the connection",
        arguments: [
            Row("a second answer", Server.ok + Server.ok), Row("one byte more", Server.ok + "x"),
            Row("close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
            Row("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ])
    func notReused(row: Row<String>) throws {
        let server = try Server([[.hear, .say(row.value), .hang], Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(server.accepted == 2 && bench.client.facts.reused == 0 && bench.client.facts.repeated == 0)
    }

    @Test func anIdleConnectionIsKeptForThirtySeconds() throws {
        let server = try Server([Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        #expect(bench.deliver(endpoint) == Self.answered)
        bench.pass(milliseconds: 29_800)
        #expect(bench.client.facts.idleConnections == 1)
        bench.pass(milliseconds: 300)
        #expect(bench.client.facts.idleConnections == 0)
        #expect(bench.until { server.open == 0 }, "the server hears of it")
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(server.accepted == 2)
    }

    @Test func aBusyOneIsUsedForAMinuteAndThenTheNameIsLookedUpAgain() throws {
        let server = try Server([Self.polite])
        defer { server.stop() }
        let bench = try ClientBench(ScriptedResolver(["hooks.example": ["127.0.0.1"]]))
        let endpoint = ClientBench.endpoint(port: server.port, host: "hooks.example")
        for _ in 0..<3 {
            #expect(bench.deliver(endpoint) == Self.answered)
            bench.pass(milliseconds: 19_900)
        }
        #expect(server.accepted == 1)
        bench.pass(milliseconds: 500)
        #expect(bench.deliver(endpoint) == Self.answered)
        #expect(server.accepted == 2 && bench.resolver.asked.count == 2)
    }

    @Test func anEndpointThatGoesElsewhereNowGetsAnotherConnection() throws {
        let first = try Server([Self.polite]), second = try Server([Self.polite])
        defer {
            first.stop()
            second.stop()
        }
        let bench = try ClientBench()
        #expect(bench.deliver(ClientBench.endpoint(port: first.port)) == Self.answered)
        #expect(bench.deliver(ClientBench.endpoint(port: second.port)) == Self.answered)
        #expect(bench.until { first.open == 0 && second.open == 1 })
        // What was allowed when it was dialled need not be now.
        let strict = ClientBench.endpoint(port: second.port) { $0.allowsPrivate = false }
        let attempt = bench.send(strict)
        #expect(bench.until { attempt.outcome != nil })
        #expect(attempt.failure?.kind == .address)
    }

    @Test func whenAllPlacesAreTakenTheIdleLongestGoes() throws {
        let servers = try (0..<3).map { _ in try Server([Self.polite]) }
        defer { for one in servers { one.stop() } }
        let bench = try ClientBench { $0.connectionsMax = 2 }
        for (number, server) in servers.enumerated() {
            #expect(bench.deliver(ClientBench.endpoint(UInt64(number), port: server.port)) == Self.answered)
            bench.pass(milliseconds: 100)
        }
        #expect(bench.until { servers[0].open == 0 })
        #expect(servers[1].open == 1 && servers[2].open == 1)
        #expect(bench.client.facts.connections == 2 && bench.client.facts.waits == 1)
    }

    @Test func whenAllAreBusyOthersWaitInTheirOrder() throws {
        let gates = (0..<4).map { _ in Server.Gate() }
        let servers = try gates.map { try Server([[.hear, .await($0), .say(Server.ok), .hang]]) }
        defer { for one in servers { one.stop() } }
        let bench = try ClientBench { $0.connectionsMax = 2 }
        let attempts = servers.enumerated().map { number, server in
            bench.send(ClientBench.endpoint(UInt64(number), port: server.port))
        }
        #expect(bench.until { servers[0].requests.count == 1 && servers[1].requests.count == 1 })
        #expect(bench.client.facts.waitingRequests == 2 && bench.client.facts.connections == 2)
        gates[1].open()
        #expect(bench.until { servers[2].requests.count == 1 })
        #expect(attempts[1].outcome == Self.answered && servers[3].accepted == 0)
        gates[0].open()
        #expect(bench.until { servers[3].requests.count == 1 })
        // One that waits for a place has the same deadline as others.
        let late = bench.send(ClientBench.endpoint(9, port: servers[0].port))
        bench.pass(milliseconds: 4_100)
        #expect(late.failure == AttemptFailure(.timeout, "All 2 connections of webhooks were in use within 4 s"))
        #expect(bench.client.facts.waitingRequests == 0)
        for gate in gates { gate.open() }
    }

    @Test func whatIsCalledOffIsToldSoAndItsConnectionCloses() throws {
        let server = try Server([[.hear, .hang], Self.polite])
        defer { server.stop() }
        let bench = try ClientBench()
        let endpoint = ClientBench.endpoint(port: server.port)
        let attempt = bench.send(endpoint)
        #expect(bench.until { server.requests.count == 1 })
        bench.client.cancel(endpoint.id)
        #expect(attempt.outcome == nil)
        bench.run(turns: 2)
        #expect(attempt.failure?.kind == .cancelled && bench.client.facts.connections == 0)
        #expect(bench.until { server.open == 0 })
        #expect(bench.deliver(endpoint) == Self.answered)
        bench.client.cancel(endpoint.id)
        #expect(bench.until { server.open == 0 && bench.client.facts.connections == 0 })
    }

    @Test func aClientThatStopsKeepsNothing() throws {
        let gate = Server.Gate()
        let servers = [try Server([Self.polite]), try Server([[.hear, .await(gate), .say(Server.ok), .hang]])]
        defer { for one in servers { one.stop() } }
        let bench = try ClientBench()
        #expect(bench.deliver(ClientBench.endpoint(1, port: servers[0].port)) == Self.answered)
        let last = bench.send(ClientBench.endpoint(2, port: servers[1].port))
        #expect(bench.until { servers[1].requests.count == 1 })
        bench.client.stop()
        #expect(bench.until { servers[0].open == 0 })
        #expect(last.outcome == nil && servers[1].open == 1)
        gate.open()
        #expect(bench.until { last.outcome == Self.answered })
        #expect(bench.until { servers[1].open == 0 && bench.client.facts.connections == 0 })
    }
}
