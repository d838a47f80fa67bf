#if DEBUG
    @testable import BrokerServer
    import Configuration
    import Testing

    @Suite("How long an HTTP connection may be without a request") struct ConnectionClockTests {
        private let request = Array("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n".utf8)

        private func bench(keepAliveSeconds: Int) throws -> LoopBench {
            let bench = try LoopBench(settings: { $0.keepAliveSeconds = keepAliveSeconds })
            bench.turn(2)
            return bench
        }

        private func isOpen(_ bench: LoopBench) -> Bool { bench.server.sessions[bench.slot].phase == .http }

        @Test func oneThatNeverAsksIsClosedWithoutAWord() throws {
            let bench = try bench(keepAliveSeconds: 20)
            bench.pass(milliseconds: 19_000)
            #expect(isOpen(bench))
            bench.pass(milliseconds: 2_000)
            #expect(!isOpen(bench) && bench.heard.isEmpty)
        }

        @Test func theTimeCountsFromTheLastAnswer() throws {
            let bench = try bench(keepAliveSeconds: 20)
            bench.pass(milliseconds: 15_000)
            bench.send(request)
            bench.turn(2)
            let answer = bench.heard
            #expect(bench.text.hasPrefix("HTTP/1.1 200 "))
            bench.pass(milliseconds: 18_000)
            #expect(isOpen(bench))
            bench.pass(milliseconds: 3_000)
            #expect(!isOpen(bench) && bench.heard == answer)
        }

        @Test func aRequestThatCameInPiecesDoesNotLengthenIt() throws {
            let bench = try bench(keepAliveSeconds: 2)
            bench.send(Array(request[..<9]))
            bench.pass(milliseconds: 1_000)
            bench.send(Array(request[9...]))
            bench.pass(milliseconds: 1_800)
            #expect(isOpen(bench) && bench.text.hasPrefix("HTTP/1.1 200 "))
            bench.pass(milliseconds: 1_000)
            #expect(!isOpen(bench), "not only when the request would have been late")
        }

        @Test func oneThatDoesNotBecomeWholeIsAnsweredAndClosed() throws {
            let bench = try bench(keepAliveSeconds: 20)
            bench.send(Array(request[..<9]))
            bench.pass(milliseconds: 7_500)
            #expect(isOpen(bench) && bench.heard.isEmpty)
            bench.pass(milliseconds: 1_000)
            #expect(!isOpen(bench) && bench.text.hasPrefix("HTTP/1.1 408 "))
        }

        @Test func aBodyThatIsPassedOverHasHadItsAnswer() throws {
            let bench = try bench(keepAliveSeconds: 20)
            bench.send(Array("POST /apps/app-id/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n12345".utf8))
            bench.turn(3)
            let answer = bench.heard
            #expect(bench.text.hasPrefix("HTTP/1.1 401 ") && isOpen(bench))
            bench.pass(milliseconds: 9_000)
            #expect(!isOpen(bench) && bench.heard == answer, "what is said unasked would answer the next request")
        }

        @Test func whoStillGetsAListIsNotIdle() throws {
            let bench = try bench(keepAliveSeconds: 2)
            let ids = Array(repeating: Array("u".utf8), count: 250_000)
            bench.server.sessions[bench.slot].debt.replyNumber = bench.server.later.lists.begin(
                LongReplies.Entry(
                    slot: bench.slot, isChunked: true, keepAlive: true, isOpen: true,
                    list: LongReply(.users(ids, next: 0))))
            bench.pass(milliseconds: 5_000)
            #expect(isOpen(bench) && bench.server.later.lists.count == 1, "it takes longer than that")
            bench.turn(100) { bench.text.hasSuffix("0\r\n\r\n") }
            #expect(bench.text.hasSuffix("]}\r\n0\r\n\r\n") && isOpen(bench))
        }

        @Test func aLongBodyThatIsNotWantedEndsTheConnection() throws {
            let bench = try bench(keepAliveSeconds: 20)
            bench.send(
                Array("POST /apps/app-id/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n12345".utf8))
            bench.turn(3)
            #expect(bench.text.hasPrefix("HTTP/1.1 401 ") && bench.text.contains("Connection: close"))
            #expect(!isOpen(bench))
        }

        @Test func whoWaitsForLeaveToSendABodyGetsIt() throws {
            let bench = try bench(keepAliveSeconds: 20)
            let body = Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8)
            let call = bench.call("POST", "/events", ["Expect: 100-continue"], body: body)
            bench.send(Array(call.dropLast(body.count)))
            bench.turn(2)
            #expect(bench.takeHeard() == "HTTP/1.1 100 Continue\r\n\r\n")
            bench.send(body)
            bench.turn(2)
            #expect(bench.text.hasPrefix("HTTP/1.1 200 "))
        }
    }
#endif
