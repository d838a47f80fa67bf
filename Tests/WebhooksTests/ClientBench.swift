import BrokerCore
import Glibc
@testable import Reactor
import Synchronization
@testable import Webhooks
import Wire

/// A client on a loop whose time stands still until the test moves it.
final class ClientBench {
    let loop: EventLoop
    let client: WebhookClient
    let resolver: ScriptedResolver
    private let duties = CountingDuties()

    final class CountingDuties: LoopDuties {
        var (turns, ticks) = (0, 0)
        func turn() -> Bool {
            turns += 1
            return false
        }
        func hasWork() -> Bool { false }
        func tick() { ticks += 1 }
    }

    /// What became of an attempt.
    final class Attempt {
        var outcome: AttemptOutcome?
        var failure: AttemptFailure? { if case .failed(let failure) = outcome { failure } else { nil } }
    }

    init(
        _ resolver: ScriptedResolver = ScriptedResolver(), system: (any NameResolver)? = nil,
        limits: (inout ClientLimits) -> Void = { _ in }
    ) throws {
        var all = ClientLimits()
        limits(&all)
        let loop = try EventLoop(WebhookClient.loopOptions)
        loop.manualTime = loop.now
        (self.loop, self.resolver) = (loop, resolver)
        client = WebhookClient(loop: loop, duties: duties, resolver: system ?? resolver, limits: all)
    }

    var turns: Int { duties.turns }
    var ticks: Int { duties.ticks }

    static func endpoint(
        _ id: UInt64 = 1, port: UInt16, host: String = "127.0.0.1", isSecure: Bool = false,
        _ change: (inout WebhookEndpoint) -> Void = { _ in }
    ) -> WebhookEndpoint {
        var endpoint = WebhookEndpoint(
            id: WebhookEndpointID(id), url: WebURL(isSecure: isSecure, host: host, port: port, target: "/hook"))
        endpoint.allowsPrivate = true
        change(&endpoint)
        return endpoint
    }

    func send(_ endpoint: WebhookEndpoint, body: String = "{}") -> Attempt {
        let attempt = Attempt()
        let head =
            "POST /hook HTTP/1.1\r\nHost: \(endpoint.url.authority)\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        client.send(OutgoingRequest(endpoint: endpoint, bytes: Array((head + body).utf8))) {
            precondition(attempt.outcome == nil, "told twice")
            attempt.outcome = $0
        }
        return attempt
    }

    /// Sends and waits for the end, while time stands still.
    func deliver(_ endpoint: WebhookEndpoint, body: String = "{}") -> AttemptOutcome? {
        let attempt = send(endpoint, body: body)
        _ = until { attempt.outcome != nil }
        return attempt.outcome
    }

    func run(turns: Int) { for _ in 0..<turns { _ = loop.runTurn(client, mayWait: false) } }

    /// Lets time pass, and what is due happen.
    func pass(milliseconds: UInt64) {
        loop.manualTime = loop.manualTime?.after(nanoseconds: milliseconds * 1_000_000)
        run(turns: 3)
    }

    /// Turns until something holds; false after 20 s of the world's time.
    func until(millisecondsEach: UInt64 = 0, _ holds: () -> Bool) -> Bool {
        let start = MonotonicTime.now()
        while !holds() {
            if MonotonicTime.now().nanosecondsSince(start) > 20_000_000_000 { return false }
            loop.manualTime = loop.manualTime?.after(nanoseconds: millisecondsEach * 1_000_000)
            run(turns: 1)
            usleep(200)
        }
        return true
    }
}

/// Names that the test gives addresses, now or later.
final class ScriptedResolver: NameResolver {
    private struct State {
        var known: [String: LookupResult] = [:]
        var asked: [String] = []
        var waiting: [String: @Sendable (LookupResult) -> Void] = [:]
    }

    private let state = Mutex(State())

    init(_ known: [String: [String]] = [:]) {
        state.withLock { state in
            state.known = known.mapValues { .success($0.compactMap { IPAddress($0) }) }
        }
    }

    func resolve(_ name: String, _ answer: @escaping @Sendable (LookupResult) -> Void) {
        let known = state.withLock { state -> LookupResult? in
            state.asked.append(name)
            if state.known[name] == nil { state.waiting[name] = answer }
            return state.known[name]
        }
        if let known { answer(known) }
    }

    func set(_ name: String, _ result: LookupResult) { state.withLock { $0.known[name] = result } }

    /// Answers a lookup that waits.
    func answer(_ name: String, _ result: LookupResult) {
        state.withLock { $0.waiting.removeValue(forKey: name) }?(result)
    }

    var asked: [String] { state.withLock { $0.asked } }
}
