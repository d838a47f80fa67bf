#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import PusherProtocol
    @testable import Reactor
    import Testing
    import Wire

    @Suite("Lists under way") struct LongReplyTests {
        /// A list of so many users that its ids alone hold `bytes` of memory.
        private func list(holding bytes: Int) -> LongReply {
            let id = Array("u".utf8)
            let ids = Array(repeating: id, count: bytes / MemoryLayout<[UInt8]>.stride)
            return LongReply(.users(ids, next: 0))
        }

        private func begin(_ list: LongReply, _ bench: LoopBench) -> UInt32 {
            bench.server.later.lists.begin(
                LongReplies.Entry(slot: bench.slot, isChunked: true, keepAlive: true, isOpen: true, list: list))
        }

        @Test func aReplyIsSentToTheConnectionThatAskedForIt() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.sessions[bench.slot].debt.replyNumber = begin(list(holding: 8_000), bench)
            bench.turn { bench.text.hasSuffix("0\r\n\r\n") }
            #expect(bench.text.hasSuffix("]}\r\n0\r\n\r\n") && bench.server.later.lists.isEmpty)
            #expect(bench.server.sessions[bench.slot].debt.replyNumber == 0)
        }

        @Test func aReplyWhoseCallerHasGoneIsNotSentToWhoeverHasItsSlotNow() throws {
            let bench = try LoopBench()
            bench.turn(2)
            _ = begin(list(holding: 8_000), bench)
            bench.turn(5)
            #expect(bench.heard.isEmpty && bench.server.later.lists.isEmpty && bench.server.later.lists.heldBytes == 0)
            // It has asked for a list of its own meanwhile.
            _ = begin(list(holding: 8_000), bench)
            bench.server.sessions[bench.slot].debt.replyNumber = begin(list(holding: 80), bench)
            bench.turn(10)
            #expect(bench.text.ranges(of: #""u""#).count == 10)
        }

        /// One reply holds nearly all that replies may; its caller is not there, as if it had just gone.
        @Test(arguments: [(-100, 200), (0, 503)])
        func noListIsBegunThatWouldPassTheBoundOfAll(more: Int, status: Int) throws {
            let bench = try LoopBench()
            bench.turn(2)
            let held = list(holding: LongReplies.heldBytesMax + more)
            _ = bench.server.later.lists.begin(
                LongReplies.Entry(slot: 40, isChunked: true, keepAlive: true, isOpen: true, list: held))
            bench.server.later.lists.workLeft = 0
            bench.send(bench.call("GET", "/channels"))
            bench.turn()
            #expect(bench.text.hasPrefix("HTTP/1.1 \(status) "))
            #expect((status == 503) == bench.text.contains("Too many long lists"))
            #expect(bench.server.sessions[bench.slot].debt.replyNumber == 0 && bench.server.later.lists.isEmpty)
            bench.send(bench.call("GET", "/channels"))
            bench.turn()
            #expect(bench.text.ranges(of: "HTTP/1.1 200 ").count == (status == 503 ? 1 : 2), "now there is room")
        }

        @Test func whileAllHoldTooMuchNothingIsMadeAndWhatIsMadeIsSent() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let number = begin(list(holding: LongReplies.heldBytesMax + 8_000), bench)
            bench.server.sessions[bench.slot].debt.replyNumber = number
            bench.turn(5)
            #expect(bench.text.hasSuffix(#"{"users":["# + "\r\n"), "its beginning was made before")
            #expect(bench.server.later.lists.count == 1)
        }

        /// Others have used the turn's allowance up.
        @Test(arguments: [("GET", "\r\n\r\n{\"channels\":{}}"), ("HEAD", "\r\n\r\n")])
        func aShortListWaitsForTheNextAllowanceAndHasALength(method: String, end: String) throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.later.lists.workLeft = 0
            bench.send(bench.call(method, "/channels"))
            bench.turn(1)
            #expect(bench.heard.isEmpty && bench.server.later.lists.count == 1)
            bench.turn()
            #expect(bench.text.hasPrefix("HTTP/1.1 200 ") && bench.text.hasSuffix(end))
            #expect(bench.text.contains("Content-Length: 15\r\n") && !bench.text.contains("chunked"))
            #expect(bench.server.later.lists.isEmpty && !bench.server.sessions[bench.slot].debt.isReplying)
            bench.send(bench.call("GET", "/connections"))
            bench.turn()
            #expect(bench.text.hasSuffix(#"{"connections":0}"#), "the connection goes on")
        }

        @Test func aListLeftOverByTheTurnBeforeComesFirst() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.sessions[bench.slot].debt.replyNumber = bench.server.later.lists.begin(
                LongReplies.Entry(
                    slot: bench.slot, isChunked: true, keepAlive: true,
                    list: list(holding: 8 * (LongReplies.workPerTurn - 10))))
            // Another that asks in the same turn is behind it.
            _ = bench.server.later.lists.begin(
                LongReplies.Entry(slot: bench.slot, isChunked: true, keepAlive: true, list: list(holding: 800)))
            bench.turn(1)
            #expect(bench.text.contains("Content-Length: ") && bench.text.hasSuffix("]}"))
        }

        @Test func aListThatNeedsMoreThanOneTurnComesInChunks() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.sessions[bench.slot].debt.replyNumber = bench.server.later.lists.begin(
                LongReplies.Entry(
                    slot: bench.slot, isChunked: true, keepAlive: true,
                    list: list(holding: 8 * (LongReplies.workPerTurn + 1))))
            bench.turn(1)
            #expect(bench.text.contains("Transfer-Encoding: chunked") && !bench.text.hasSuffix("0\r\n\r\n"))
            bench.turn { bench.text.hasSuffix("0\r\n\r\n") }
            #expect(bench.text.hasSuffix("]}\r\n0\r\n\r\n") && bench.server.later.lists.isEmpty)
            #expect(bench.text.ranges(of: #""u""#).count == LongReplies.workPerTurn + 1)
        }

        @Test func whatIsAskedMeanwhileIsAnsweredAfterIt() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.sessions[bench.slot].debt.replyNumber = begin(list(holding: 400_000), bench)
            bench.send(bench.call("GET", "/connections"))
            bench.turn(60) { bench.text.hasSuffix(#"{"connections":0}"#) }
            let end = try #require(bench.text.ranges(of: "]}\r\n0\r\n\r\nHTTP/1.1 200 ").first)
            #expect(bench.text[end.upperBound...].hasSuffix(#"{"connections":0}"#))
        }

        @Test func whoSendsNoMoreGetsTheListAndIsGone() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.sessions[bench.slot].debt.replyNumber = begin(list(holding: 80_000), bench)
            bench.server.endOfStream(bench.slot)
            #expect(bench.server.sessions[bench.slot].phase == .http)
            bench.turn { bench.server.sessions[bench.slot].phase == .ending }
            bench.turn(2)
            #expect(bench.text.hasSuffix("]}\r\n0\r\n\r\n") && bench.server.sessions[bench.slot].phase == .ending)
        }

        @Test func nothingMoreIsMadeForWhoDoesNotTakeIt() throws {
            let bench = try LoopBench()
            bench.turn(2)
            bench.server.sessions[bench.slot].debt.replyNumber = begin(list(holding: 2_000_000), bench)
            for _ in 0..<100 { _ = bench.loop.runTurn(bench.server, mayWait: false) }
            #expect(bench.server.later.lists.count == 1)
            #expect((1...2 * LongReplies.pieceBytesMax).contains(bench.loop.backlogBytes(bench.slot)))
        }

        @Test(arguments: [true, false]) func aCallerWhoKnowsNoChunksReadsToTheEnd(isChunked: Bool) {
            var one = LongReplies.Entry(slot: 0, isChunked: isChunked, keepAlive: true, list: list(holding: 80))
            var head: [UInt8] = []
            one.writeHead(HTTPDate(unixSeconds: 0), to: &head)
            #expect(one.isOpen && one.keepAlive == isChunked)
            #expect(String(decoding: head, as: UTF8.self).contains("Connection: close") == !isChunked)
        }

        @Test func aPartOfTheRegistryCostsWorkAlsoWhereItIsEmpty() throws {
            let bench = try LoopBench()
            let wanted = try StateRequest.channels(APIQuery())
            var reply = LongReply(.channels(app: bench.app, wanted, nextPart: 0))
            for _ in 0..<LoopBroker.channelParts / 10 {
                var work = 10
                reply.make(with: bench.server.broker, textBytesMax: 1_000, work: &work)
                #expect(work == 0 && !reply.isWhole)
            }
            var work = 10
            reply.make(with: bench.server.broker, textBytesMax: 1_000, work: &work)
            #expect(reply.isWhole && String(decoding: reply.text, as: UTF8.self) == #"{"channels":{}}"#)
        }
    }
#endif
