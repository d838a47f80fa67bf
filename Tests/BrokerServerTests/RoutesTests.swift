#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import PusherProtocol
    import TestSupport
    import Testing
    import Wire

    /// Routes answer values with values: no connection, no loop that turns.
    @Suite("What the routes answer") struct RoutesTests {
        /// The outcome of a request, and the reply as it was left.
        private func ask(
            _ bench: LoopBench, _ bytes: [UInt8], stage: RequestView.Stage = .whole
        ) throws -> (outcome: Result<String, Refusal>, reply: HTTPReply) {
            var reply = HTTPReply()
            reply.body = Array("left over".utf8)
            reply.reset()
            let head = try #require(try HTTPRequestParser.parse(bytes.span, limits: HTTPLimits()))
            let outcome = bytes.withUnsafeBufferPointer { bytes in
                let body = UnsafeBufferPointer(rebasing: bytes[head.headBytes...])
                var request = RequestView(bytes: bytes, head: head, body: body, stage: stage)
                request.unixSeconds = bench.server.clock.unixSeconds
                if stage == .head { request.body = UnsafeBufferPointer(start: nil, count: 0) }
                return Result { () throws(Refusal) in
                    switch try bench.server.routes.answer(request, &reply) {
                    case .reply: "reply"
                    case .body: "body"
                    case .later: "later"
                    case .list: "list"
                    case .webSocket: "webSocket"
                    }
                }
            }
            return (outcome, reply)
        }

        private func plain(_ line: String, _ fields: String = "") -> [UInt8] {
            Array("\(line) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n".utf8)
        }

        static let refused: [Row<(line: String, fields: String, refusal: Refusal)>] = [
            Row(
                "a method that is not for it",
                (
                    "DELETE /ready", "",
                    .http(
                        405, "DELETE is not allowed here; use GET, HEAD, OPTIONS",
                        headers: "Allow: GET, HEAD, OPTIONS\r\n")
                )),
            Row(
                "a body in a coding",
                (
                    "POST /apps/app-id/events", "Content-Encoding: gzip\r\n",
                    .http(415, "Content-Encoding gzip is not supported; send the body as it is")
                )),
            Row("an app that is not there", ("GET /apps/x/channels", "", .http(404, "No app has the id x"))),
            Row("a health check of no app", ("GET /up/x", "", .http(404, "No app has this id"))),
            Row(
                "a key that is not there",
                (
                    "POST /users/u/terminate_connections?auth_key=x", "",
                    .http(401, "auth_key is missing, or no app has this key")
                )),
        ]

        @Test(arguments: refused)
        func whatCannotBeIsRefused(_ row: Row<(line: String, fields: String, refusal: Refusal)>) throws {
            let (outcome, _) = try ask(try LoopBench(), plain(row.value.line, row.value.fields))
            #expect(outcome == .failure(row.value.refusal))
        }

        @Test func whatIsNowhereIsAFailedHandshakeForAWebSocketClient() throws {
            for (fields, kind) in [
                ("", RefusalKind.http), ("Upgrade: websocket\r\nConnection: upgrade\r\n", .handshake),
            ] {
                guard case .failure(let refusal) = try ask(try LoopBench(), plain("GET /nowhere", fields)).outcome
                else {
                    Issue.record("there is nothing")
                    return
                }
                #expect(refusal.kind == kind && refusal.code == 404)
            }
        }

        @Test func anIdentityCodingIsNone() throws {
            let bench = try LoopBench()
            let (outcome, reply) = try ask(bench, plain("GET /ready", "Content-Encoding: IDENTITY\r\n"))
            #expect(outcome == .success("reply") && reply.status == 200 && reply.body == Array("OK".utf8))
            #expect(!reply.isCrossOrigin && reply.allHeaders.isEmpty)
        }

        @Test func aBrowserMayAskWhatIsAllowed() throws {
            let (outcome, reply) = try ask(try LoopBench(), plain("OPTIONS /apps/app-id/events"))
            #expect(outcome == .success("reply") && reply.status == 204 && reply.contentType?.description == nil)
            #expect(reply.body.isEmpty && reply.allHeaders == HTTPReply.crossOrigin)
        }

        @Test func notReadyBeforeItServesAndWhileItDrains() throws {
            let bench = try LoopBench()
            for (isServing, isDraining, isReady) in [(true, false, true), (false, false, false), (true, true, false)] {
                let shared = bench.server.state.shared
                (shared.isServing, shared.isDraining) = (isServing, isDraining)
                let (outcome, _) = try ask(bench, plain("GET /ready"))
                #expect((outcome == .success("reply")) == isReady)
            }
        }

        @Test func aSignedCallIsAnsweredAndItsBodyAskedFor() throws {
            let bench = try LoopBench()
            let body = Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8)
            let call = bench.call("POST", "/events", body: body)
            #expect(try ask(bench, call, stage: .head).outcome == .success("body"))
            let (outcome, reply) = try ask(bench, call)
            #expect(outcome == .success("reply") && reply.status == 200 && reply.body == Array("{}".utf8))
            #expect(try ask(bench, bench.call("GET", "/channels")).outcome == .success("list"))
        }

        /// The head of an admitted request was checked before, by what it was then; its body is checked now.
        @Test func anAdmittedBodyMustBeTheOneThatIsSigned() throws {
            let bench = try LoopBench()
            var call = bench.call("POST", "/events", body: Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8))
            #expect(try ask(bench, call, stage: .admitted).outcome == .success("reply"))
            call[call.count - 3] = UInt8(ascii: "x")
            guard case .failure(let refusal) = try ask(bench, call, stage: .admitted).outcome else {
                Issue.record("the body is another")
                return
            }
            #expect(refusal.code == 401 && refusal.app == 0 && refusal.kind == .auth)
        }

        @Test func whileMemoryIsShortCallsComeAgainLaterAndHealthIsAnswered() throws {
            let bench = try LoopBench()
            let memory = bench.server.state.shared.memory
            memory.set(.strained, .init(usedBytes: 3, limitBytes: 2, backlogBytes: 1))
            let refused = Refusal.shortOfMemoryForCalls
            #expect(refused.answer == .status(503, headers: "Retry-After: 1\r\n") && refused.kind == .limit)
            #expect(try ask(bench, bench.call("GET", "/channels")).outcome == .failure(refused))
            #expect(try ask(bench, bench.call("POST", "/events"), stage: .head).outcome == .failure(refused))
            let terminate = plain("POST /users/u/terminate_connections")
            #expect(try ask(bench, terminate).outcome == .failure(refused))
            for path in ["/live", "/up", "/usage", "/"] {
                #expect(try ask(bench, plain("GET \(path)")).outcome == .success("reply"), "\(path)")
            }
            guard case .failure(let ready) = try ask(bench, plain("GET /ready")).outcome else {
                Issue.record("a balancer shall send to others")
                return
            }
            #expect(ready.code == 503 && memory.facts.refusedCalls == 3)
            memory.set(.calm, .init(usedBytes: 1, limitBytes: 2, backlogBytes: 0))
            #expect(try ask(bench, bench.call("GET", "/channels")).outcome == .success("list"))
        }

        @Test func aRepeatedPublishSaysSo() throws {
            let bench = try LoopBench()
            let body = Array(#"{"name":"e","channel":"c","data":"d"}"#.utf8)
            let call = bench.call("POST", "/events", ["X-Idempotency-Key: k"], body: body)
            #expect(try ask(bench, call).reply.headers.isEmpty)
            let (outcome, reply) = try ask(bench, call)
            #expect(outcome == .success("reply") && reply.headers == "X-Idempotency-Replayed: true\r\n")
            #expect(reply.allHeaders == HTTPReply.crossOrigin + reply.headers && reply.body == Array("{}".utf8))
        }

        @Test func anErrorReplacesWhateverWasThere() {
            var reply = HTTPReply()
            reply.set(status: 500, contentType: "text/plain", "half an answ")
            reply.set(error: 429, "no", headers: "Retry-After: 1\r\n", closes: true)
            #expect(reply.status == 429 && reply.closes && reply.isCrossOrigin)
            #expect(String(decoding: reply.body, as: UTF8.self) == #"{"error":"no","code":429}"#)
            #expect(reply.allHeaders.hasSuffix("X-Socket-Id\r\nRetry-After: 1\r\n"))
            reply.reset()
            #expect(reply.status == 200 && !reply.closes && reply.headers.isEmpty && reply.body.isEmpty)
        }
    }
#endif
