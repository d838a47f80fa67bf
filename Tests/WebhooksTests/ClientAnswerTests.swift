import BrokerCore
import CLinux
import Glibc
import Reactor
import TestSupport
import Testing
@testable import Webhooks
import Wire

@Suite("What a server answers, or does instead") struct ClientAnswerTests {
    private typealias Step = ScriptedServer.Step

    private func outcome(of script: [ScriptedServer.Step], body: String = "{}") throws -> AttemptOutcome? {
        let server = try ScriptedServer([script])
        defer { server.stop() }
        let bench = try ClientBench()
        let attempt = bench.send(ClientBench.endpoint(port: server.port), body: body)
        _ = bench.until { attempt.outcome != nil }
        return attempt.outcome
    }

    @Test(
        "an answer is its status and its wish",
        arguments: [
            Row("204", ("HTTP/1.1 204 No Content\r\n\r\n", 204, nil)),
            Row(
                "chunked", ("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 201, nil)),
            Row("up to the close", ("HTTP/1.1 200 OK\r\n\r\nall of this", 200, nil)),
            Row(
                "interim ones",
                (
                    "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 202 Yes\r\nContent-Length: 0\r\n\r\n",
                    202, nil
                )),
            Row(
                "a redirect",
                ("HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 301, nil)),
            Row("a wish", ("HTTP/1.1 503 No\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", 503, 17)),
            Row(
                "a long wish",
                ("HTTP/1.1 429 No\r\nretry-after:  99999999999999999999 \r\nContent-Length: 0\r\n\r\n", 429, 3_600)),
            Row(
                "a date that has passed",
                ("HTTP/1.1 503 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n", 503, 0)),
            Row(
                "a date far away",
                (
                    "HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 503,
                    3_600
                )),
            Row("no wish at all", ("HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 503, nil)),
            Row(
                "a wish twice",
                ("HTTP/1.1 503 No\r\nRetry-After: 3\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", 503, 5)),
        ] as [Row<(String, Int, Int?)>])
    func answers(row: Row<(String, Int, Int?)>) throws {
        let (text, status, seconds) = row.value
        #expect(try outcome(of: [.hear, .say(text)]) == .answered(status: status, retryAfterSeconds: seconds))
    }

    @Test func onlyTwoHundredsAreSuccessesAndARedirectSaysWhatToDo() {
        for status in [200, 201, 204, 299] {
            #expect(AttemptOutcome.answered(status: status, retryAfterSeconds: nil).isSuccess)
        }
        for status in [101, 199, 300, 302, 404, 500, 999] {
            #expect(!AttemptOutcome.answered(status: status, retryAfterSeconds: nil).isSuccess)
        }
        #expect(
            AttemptOutcome.answered(status: 308, retryAfterSeconds: nil).sentence
                == "The server redirects (308), and webhooks follow nobody: configure the URL that it points to")
        #expect(
            AttemptOutcome.answered(status: 503, retryAfterSeconds: 9).sentence
                == "The server answered 503 and asks for 9 s of patience")
        #expect(AttemptOutcome.answered(status: 200, retryAfterSeconds: 9).sentence == "The server answered 200")
        #expect(AttemptOutcome.failed(AttemptFailure(.tls, "Why.")).sentence == "Why.")
    }

    @Test(
        "what is no answer is a failure that says why",
        arguments: [
            Row("garbage", (["SSH-2.0-OpenSSH_9.2\r\n"], .answer, "must begin with HTTP/1.1")),
            Row("a bare line feed", (["HTTP/1.1 200 OK\nContent-Length: 0\n\n"], .answer, "CR LF")),
            Row(
                "two lengths",
                (["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"], .answer, "two different")),
            Row("a bad chunk", (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], .answer, "no answer")),
            Row(
                "too many interim ones",
                ([String(repeating: "HTTP/1.1 100 Go\r\n\r\n", count: 17)], .answer, "too large")),
            Row("half a head", (["HTTP/1.1 200 OK\r\nContent-"], .closed, "in the middle")),
            Row("half a body", (["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"], .closed, "in the middle")),
            Row(
                "half the chunks",
                (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"], .closed, "in the middle")),
            Row("nothing", ([], .closed, "without an answer")),
        ] as [Row<([String], AttemptFailure.Kind, String)>])
    func noAnswer(row: Row<([String], AttemptFailure.Kind, String)>) throws {
        let (said, kind, text) = row.value
        guard case .failed(let failure) = try outcome(of: [.hear] + said.map(Step.say)) else {
            Issue.record("it did not fail")
            return
        }
        #expect(failure.kind == kind && failure.text.holds(text), "\(failure)")
    }

    @Test func aResetInTheMiddleIsToldAsOne() throws {
        for (said, text) in [
            ([], "reset the connection"), ([Step.say("HTTP/1.1 200 OK\r\n")], "in the middle of its answer"),
        ] {
            let outcome = try outcome(of: [.hear] + said + [.reset])
            guard case .failed(let failure) = outcome else {
                Issue.record("it did not fail: \(String(describing: outcome))")
                continue
            }
            // What was said may come before the reset is seen, or be lost with it.
            #expect(failure.kind == .closed && (failure.text.holds(text) || failure.text.holds("reset")), "\(failure)")
        }
    }

    @Test func sixtyFourKilobytesAreReadAndNotAByteMore() throws {
        for framing in ["Content-Length: ", "Transfer-Encoding: chunked"] {
            for (count, isRead) in [(65_536, true), (65_537, false), (200_000, false)] {
                let isChunked = framing.hasSuffix("chunked")
                let head = "HTTP/1.1 200 OK\r\n\(framing)\(isChunked ? "" : "\(count)")\r\n\r\n"
                let body: [Step] =
                    isChunked
                    ? [.say(String(count, radix: 16) + "\r\n"), .sayBytes(count), .say("\r\n0\r\n\r\n")]
                    : [.sayBytes(count)]
                let outcome = try outcome(of: [.hear, .say(head)] + body + [.hang])
                if isRead {
                    #expect(outcome == .answered(status: 200, retryAfterSeconds: nil), "\(framing)")
                } else {
                    guard case .failed(let failure) = outcome else {
                        Issue.record("\(count) bytes were read")
                        continue
                    }
                    #expect(failure.kind == .answer && failure.text.holds("65536"), "\(failure)")
                }
            }
        }
    }

    @Test func aHeadIsSixteenKilobytesAtMost() throws {
        func head(_ bytes: Int) -> String {
            let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Filler: "
            return start + String(repeating: "x", count: bytes - start.utf8.count - 4) + "\r\n\r\n"
        }
        #expect(try outcome(of: [.hear, .say(head(16_384)), .hang]) == .answered(status: 200, retryAfterSeconds: nil))
        guard case .failed(let failure) = try outcome(of: [.hear, .say(head(16_385)), .hang]) else {
            Issue.record("it was read")
            return
        }
        #expect(failure.kind == .answer && failure.text.holds("16384"))
    }

    @Test func whoAnswersBeforeItHasHeardAllHasRefusedOrLies() throws {
        let body = String(repeating: "x", count: 24 << 20)
        let refusal = try outcome(
            of: [.say("HTTP/1.1 413 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"), .hang], body: body)
        #expect(refusal == .answered(status: 413, retryAfterSeconds: 7))
        let lie = try outcome(of: [.say(ScriptedServer.ok), .hang], body: body)
        #expect(lie == .failed(AttemptFailure(.answer, "The server answered 200 before the request was whole")))
    }

    @Test func aLargeRequestArrivesWhole() throws {
        let server = try ScriptedServer([[.hear, .say(ScriptedServer.ok), .hang]])
        defer { server.stop() }
        let bench = try ClientBench()
        let body = String(repeating: "0123456789abcdef", count: 1 << 18)
        #expect(bench.deliver(ClientBench.endpoint(port: server.port), body: body)?.isSuccess == true)
        #expect(server.requests.first?.hasSuffix(body) == true)
    }

    // MARK: Time

    @Test(
        "an attempt has its seconds and no more",
        arguments: [
            Row("silence", ([Step.hear, .hang], "did not answer within 4 s")),
            Row("half a head", ([Step.hear, .say("HTTP/1.1 200 OK\r\n"), .hang], "was not whole within 4 s")),
            Row(
                "a slow body",
                (
                    [Step.hear, .say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow"), .hang],
                    "was not whole within 4 s"
                )),
            Row("only interim", ([Step.hear, .say("HTTP/1.1 100 Go\r\n\r\n"), .hang], "was not whole within 4 s")),
        ] as [Row<([ScriptedServer.Step], String)>])
    func deadline(row: Row<([ScriptedServer.Step], String)>) throws {
        let server = try ScriptedServer([row.value.0])
        defer { server.stop() }
        let bench = try ClientBench()
        let attempt = bench.send(ClientBench.endpoint(port: server.port))
        let isSilent = row.value.0.count == 2
        #expect(
            bench.until {
                server.requests.count == 1
                    && (isSilent || bench.client.pool.connections.values.first?.reader.isUntouched == false)
            })
        bench.pass(milliseconds: 3_900)
        #expect(attempt.outcome == nil)
        bench.pass(milliseconds: 200)
        #expect(
            attempt.failure?.kind == .timeout && attempt.failure?.text.holds(row.value.1) == true,
            "\(attempt.failure as Any)")
        #expect(bench.until { server.open == 0 } && bench.client.facts.connections == 0)
    }

    @Test func aServerThatDribblesHasNoMoreTimeThanOneThatIsSilent() throws {
        let dribble = (0..<60).flatMap { _ in [Step.say("x")] }
        let server = try ScriptedServer([
            [.hear, .say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")] + dribble + [.hang]
        ])
        defer { server.stop() }
        let bench = try ClientBench()
        let attempt = bench.send(ClientBench.endpoint(port: server.port) { $0.timeoutSeconds = 1 })
        var passed = 0
        #expect(
            bench.until(millisecondsEach: 100) {
                passed += 1
                return attempt.outcome != nil
            })
        #expect(attempt.failure?.kind == .timeout && passed <= 14)
    }

    @Test func aServerThatDoesNotReadIsToldFromOneThatDoesNotAnswer() throws {
        let gate = ScriptedServer.Gate()
        let server = try ScriptedServer([[.await(gate)]])
        defer { server.stop() }
        let bench = try ClientBench()
        let attempt = bench.send(
            ClientBench.endpoint(port: server.port), body: String(repeating: "x", count: 24 << 20))
        #expect(bench.until { server.accepted == 1 })
        bench.run(turns: 20)
        bench.pass(milliseconds: 4_100)
        #expect(attempt.failure?.text == "127.0.0.1:\(server.port) did not take the whole request within 4 s")
        gate.open()
    }
}
