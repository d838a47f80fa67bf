#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Testing

    @Suite("The pieces of a list") struct ListPieceTests {
        private func entry(users: Int, isChunked: Bool) -> LongReplies.Entry {
            let ids = (0..<users).map { Array("user-\($0)".utf8) }
            return LongReplies.Entry(
                slot: 0, isChunked: isChunked, keepAlive: true, list: LongReply(.users(ids, next: 0)))
        }

        @Test func areAsLongAsTheyMayBeAndTogetherTheWholeText() {
            var one = entry(users: 100, isChunked: false)
            var work = Int.max
            one.list.makeUsers(textBytesMax: .max, work: &work)
            let text = one.list.text
            var (sent, isLast, pieces) = ([UInt8](), false, 0)
            while !isLast, pieces < 1_000 {
                var piece: [UInt8] = []
                isLast = one.writePiece(bytesMax: 150, to: &piece)
                #expect(piece.count == min(150, text.count - sent.count))
                sent += piece
                pieces += 1
            }
            #expect(sent == text && one.list.text.isEmpty)
        }

        @Test func aChunkIsNoLongerThanAPiece() {
            var one = entry(users: 20, isChunked: true)
            var work = Int.max
            one.list.makeUsers(textBytesMax: .max, work: &work)
            var piece: [UInt8] = []
            let isLast = one.writePiece(bytesMax: 16, to: &piece)
            #expect(!isLast && String(decoding: piece, as: UTF8.self).hasPrefix("10\r\n") && piece.count == 4 + 16 + 2)
        }

        @Test func aListThatIsMadeHoldsItsTextAlone() {
            var one = entry(users: 100, isChunked: false)
            #expect(one.list.heldBytes > 100 * 8)
            var work = Int.max
            one.list.makeUsers(textBytesMax: .max, work: &work)
            #expect(one.list.isWhole && one.list.heldBytes == one.list.text.count)
        }

        @Test func whoWaitsWithoutTextHoldsNoMemoryForIt() {
            var replies = LongReplies()
            for _ in 0..<3 {
                var one = entry(users: 100, isChunked: true)
                var (work, sent) = (Int.max, [UInt8]())
                one.list.makeUsers(textBytesMax: 1_000, work: &work)
                _ = one.writePiece(bytesMax: .max, to: &sent)
                #expect(one.list.text.isEmpty && one.list.text.capacity > 0)
                _ = replies.begin(one)
            }
            let all = replies.take()
            replies.put(waiting: all, served: [])
            #expect(replies.take().allSatisfy { $0.list.text.capacity == 0 })
        }

        @Test func channelsAreListedWithWhatWasAskedForOnly() throws {
            let bench = try LoopBench()
            bench.turn(2)
            let names = ["one", "two", "three"]
            let peers = try names.map { name in
                let peer = try BenchPeer(bench)
                peer.subscribe(to: name)
                return peer
            }
            bench.send(bench.call("GET", "/channels"))
            bench.turn()
            let body = bench.text.split(separator: "\r\n\r\n").last ?? ""
            let inner = body.dropFirst(#"{"channels":{"#.count).dropLast(2)
            #expect(body.hasPrefix(#"{"channels":{"#) && body.hasSuffix("}}"))
            #expect(inner.split(separator: ",").sorted() == names.map { #""\#($0)":{}"# }.sorted())
            withExtendedLifetime(peers) {}
        }
    }
#endif
