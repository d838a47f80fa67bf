#if DEBUG
    @testable import BrokerServer
    import Reactor
    import TestSupport
    import Testing
    import Wire

    /// Feeds a reader as the reactor feeds a connection: what is not consumed comes again, longer. It answers `.head` as it is told.
    private struct Wireside {
        var reader = RequestReader()
        let budget: ProcessBudget
        /// What becomes of a body that is asked about.
        var wantsBodies = true
        var limits = HTTPLimits(headBytesMax: 512, bodyBytesMax: 64)
        private var input: [UInt8] = []
        /// Method, path and body of each request, and what else happened.
        var seen: [String] = []

        init(budget: ProcessBudget = ProcessBudget()) { self.budget = budget }

        mutating func receive(_ bytes: some Sequence<UInt8>) throws(HTTPFailure) {
            input += bytes
            let given = input
            var offset = 0
            while offset < given.count {
                let before = offset
                let taken = try given.withUnsafeBufferPointer { (bytes) throws(HTTPFailure) in
                    try step(bytes, &offset)
                }
                precondition(offset >= before && offset <= given.count)
                guard taken else { break }
            }
            input.removeFirst(offset)
        }

        private mutating func step(
            _ bytes: UnsafeBufferPointer<UInt8>, _ offset: inout Int
        ) throws(HTTPFailure) -> Bool {
            var view = RequestView()
            switch try reader.next(bytes, from: &offset, limits, into: &view) {
            case .needMore: return false
            case .request: note(view)
            case .kept(let kept): kept.withView { note($0) }
            case .passed: seen.append("passed")
            case .tls: seen.append("TLS"); return false
            case .overBudget: seen.append("over budget"); return false
            case .head(let left):
                seen.append("head, \(left.map(String.init) ?? "?") left")
                if wantsBodies {
                    offset += reader.admitBody(of: view, budget: budget).consumed
                } else {
                    offset = bytes.count
                    reader.passBody(left: left ?? 0)
                }
            }
            return true
        }

        private mutating func note(_ request: RequestView) {
            let method = request.text(request.head.methodRange) ?? "", path = request.text(request.head.path) ?? ""
            seen.append("\(request.stage) \(method) \(path) \(String(decoding: request.body, as: UTF8.self))")
        }
    }

    @Suite("Requests from bytes") struct RequestReaderTests {
        private static let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
        private static let post = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        private static let chunked =
            "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"

        @Test func whatIsWholeIsGivenAsOneRequestEach() throws {
            var side = Wireside()
            try side.receive((Self.get + "\r\n" + Self.post + Self.get).utf8)
            #expect(side.seen == ["whole GET /a ", "whole POST /b hello", "whole GET /a "])
            #expect(side.reader.awaited == .request)
        }

        @Test func aBodyIsAskedAboutByItsHeadAndOnceOnly() throws {
            var side = Wireside()
            try side.receive((Self.post.dropLast(3)).utf8)
            #expect(side.seen == ["head, 3 left"] && side.reader.awaited == .rest)
            try side.receive("l".utf8)
            #expect(side.seen.count == 1)
            try side.receive(("lo" + Self.get).utf8)
            #expect(side.seen == ["head, 3 left", "admitted POST /b hello", "whole GET /a "])
        }

        @Test func aBodyInChunksIsAskedAboutAlsoWhenItIsHere() throws {
            var side = Wireside()
            try side.receive((Self.chunked + Self.get).utf8)
            #expect(side.seen == ["head, ? left", "admitted POST /c hello", "whole GET /a "])
        }

        @Test func theRestOfABodyIsWaitedForHoweverItComes() throws {
            var side = Wireside()
            try side.receive(Self.chunked.dropLast(3).utf8)
            #expect(side.reader.awaited == .rest && side.seen == ["head, ? left"])
        }

        @Test func aHeadMayGrowToItsBound() throws {
            var (reader, offset, view) = (RequestReader(), 0, RequestView())
            let limits = HTTPLimits(headBytesMax: 512, bodyBytesMax: 64)
            let event = try Array("GET".utf8).withUnsafeBufferPointer { (bytes) throws(HTTPFailure) in
                try reader.next(bytes, from: &offset, limits, into: &view)
            }
            // Four more: the end of the head is what shows that it is too long.
            guard case .needMore(inputBytesMax: 516) = event else {
                Issue.record("a head is waited for, and no more")
                return
            }
        }

        @Test func aBodyThatNobodyWantsIsPassedOver() throws {
            var side = Wireside()
            side.wantsBodies = false
            try side.receive((Self.post.dropLast(3)).utf8)
            #expect(side.reader.awaited == .unwantedBody)
            try side.receive("l".utf8)
            #expect(side.seen == ["head, 3 left"] && side.reader.awaited == .unwantedBody)
            try side.receive(("lo" + Self.get).utf8)
            #expect(side.seen == ["head, 3 left", "passed", "whole GET /a "] && side.reader.awaited == .request)
        }

        @Test func theRequestsAreTheSameHoweverTheBytesAreCut() throws {
            let bytes = Array((Self.get + Self.post + Self.chunked + "\r\n" + Self.get).utf8)
            let wanted = ["GET /a ", "POST /b hello", "POST /c hello", "GET /a "]
            func check(_ pieces: [ArraySlice<UInt8>]) throws {
                var side = Wireside()
                for piece in pieces { try side.receive(piece) }
                let requests = side.seen.filter { !$0.hasPrefix("head") }.map { $0.drop { $0 != " " }.dropFirst() }
                #expect(requests.map(String.init) == wanted, "pieces of \(pieces.map(\.count))")
                #expect(side.reader.awaited == .request)
            }
            for cut in 0...bytes.count { try check([bytes[..<cut], bytes[cut...]]) }
            try check(bytes.indices.map { bytes[$0...$0] })
        }

        @Test(arguments: [
            ("\r\n\r\n", RequestDeadline.Awaited.request), ("\r\n\r\nG", .rest), ("GET /", .rest),
            ("GET / HTTP/1.1\r\nHost: x\r\n", .rest),
        ]) func emptyLinesBeginNoRequest(bytes: String, awaited: RequestDeadline.Awaited) throws {
            var side = Wireside()
            try side.receive(bytes.utf8)
            #expect(side.reader.awaited == awaited && side.seen.isEmpty)
        }

        static let refused: [Row<(bytes: String, status: Int)>] = [
            Row("no request at all", ("hello\r\n\r\n", 400)),
            Row("an expectation that nobody knows", ("GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417)),
            Row("a body that is too long", ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n", 413)),
            Row(
                "chunks that are too long",
                ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", 413)),
            Row("a chunk without a size", ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx", 400)),
            Row("a head that does not end", ("GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 600), 431)),
        ]

        @Test(arguments: refused) func whatCannotBeReadIsThrown(_ row: Row<(bytes: String, status: Int)>) {
            var side = Wireside()
            #expect(throws: HTTPFailure.self) { try side.receive(row.value.bytes.utf8) }
            var again = Wireside()
            do throws(HTTPFailure) { try again.receive(row.value.bytes.utf8) } catch {
                #expect(error.status == row.value.status)
            }
        }

        @Test func tlsIsNoticedByItsFirstByteAndOnlyWhereARequestBegins() throws {
            var side = Wireside()
            try side.receive([0x16, 0x03, 0x01])
            #expect(side.seen == ["TLS"])
            var body = Wireside()
            try body.receive("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n".utf8)
            try body.receive([0x16, 0x16])
            #expect(body.seen == ["head, 2 left", "admitted POST /b \u{16}\u{16}"])
        }

        @Test func chunksAreCountedAndGivenBack() throws {
            let budget = ProcessBudget(limitBytes: 1)
            #expect(budget.acquire(1))
            var side = Wireside(budget: budget)
            side.limits = HTTPLimits(headBytesMax: 512, bodyBytesMax: 1 << 20)
            try side.receive("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".utf8)
            #expect(budget.reservedBytes > 60 && budget.refusalCount == 0, "a little is always granted")
            try side.receive("2000\r\n".utf8)
            try side.receive(repeatElement(UInt8(ascii: "x"), count: 0x2000))
            #expect(side.seen.last == "over budget" && budget.refusalCount == 1)
            side.reader = RequestReader()
            #expect(budget.reservedBytes == 1)
        }

        @Test func whileARequestIsKeptNothingIsRead() throws {
            var side = Wireside()
            let kept = KeptRequest(bytes: [1], head: try head(), budget: ProcessBudget())
            side.reader.keep(kept)
            try side.receive(Self.get.utf8)
            #expect(side.seen.isEmpty && side.reader.isHolding && side.reader.awaited == .request)
            #expect(side.reader.takeKept() === kept)
            #expect(side.reader.takeKept() == nil && !side.reader.isHolding)
            try side.receive([])
            try side.receive("\r\n".utf8)
            #expect(side.seen == ["whole GET /a "])
        }

        private func head() throws -> HTTPRequestHead {
            let bytes = Array(Self.get.utf8)
            return try #require(try HTTPRequestParser.parse(bytes.span, limits: HTTPLimits()))
        }
    }
#endif
