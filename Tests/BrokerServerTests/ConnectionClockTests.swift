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
    }
#endif
