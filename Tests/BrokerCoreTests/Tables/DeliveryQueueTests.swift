#if DEBUG
    @testable import BrokerCore
    import Synchronization
    import TestSupport
    import Testing

    /// CI runs these under ThreadSanitizer too.
    @Suite("DeliveryQueue") struct DeliveryQueueTests {
        private static func node(producer: Int, number: Int, bytes: Int = 3) -> UnsafeMutablePointer<DeliveryNode> {
            let json = Array(repeating: UInt8(ascii: "x"), count: bytes)
            var pool = DeliveryPool()
            return pool.make(
                .fanOut, to: LocalChannelID(app: 0, index: ChannelIndex(UInt32(producer)), generation: 0),
                sequence: UInt64(number),
                connection: .none, json: json.span)
        }

        private static func release(_ node: UnsafeMutablePointer<DeliveryNode>) {
            var pool = DeliveryPool()
            pool.give(node)
            pool.release()
        }

        private static func drain(_ queue: borrowing DeliveryQueue, _ body: (Int, Int) -> Void) {
            var next = queue.takeAll()
            while let node = next {
                next = node.pointee.next
                body(Int(node.pointee.channel.index.number), Int(node.pointee.sequence))
                queue.finished(node)
                release(node)
            }
        }

        @Test(arguments: [1, 2, 4]) func keepsEachProducersOrderAndLosesNothing(producers: Int) {
            let queue = DeliveryQueue()
            let each = 4_000
            let producing = Atomic<Int>(producers)
            let taken = Mutex<[[Int]]>(Array(repeating: [], count: producers))
            Threads.run(producers + 1) { number in
                if number < producers {
                    for count in 0..<each { queue.push(Self.node(producer: number, number: count)) }
                    producing.subtract(1, ordering: .releasing)
                    return
                }
                var isLast = false
                while !isLast {
                    isLast = producing.load(ordering: .acquiring) == 0
                    taken.withLock { lists in Self.drain(queue) { lists[$0].append($1) } }
                }
            }
            taken.withLock { lists in
                for list in lists { #expect(list == Array(0..<each)) }
            }
            #expect(queue.isEmpty && queue.queuedBytes == 0)
        }

        @Test func countsTheBytesThatWait() {
            let queue = DeliveryQueue()
            #expect(queue.isEmpty && queue.queuedBytes == 0)
            queue.push(Self.node(producer: 0, number: 0, bytes: 200))
            #expect(!queue.isEmpty && queue.queuedBytes == DeliveryPool.blockBytes, "a whole block is held")
            queue.push(Self.node(producer: 0, number: 1, bytes: 5_000))
            let large = MemoryLayout<DeliveryNode>.stride + 5_004
            #expect(queue.queuedBytes == DeliveryPool.blockBytes + large)
            Self.drain(queue) { _, _ in }
            #expect(queue.isEmpty && queue.queuedBytes == 0)
        }

        @Test(arguments: [0, 1, 125, 126, 65_535, 65_536]) func aNodeCarriesOneWholeFrame(bytes: Int) {
            let node = Self.node(producer: 0, number: 0, bytes: bytes)
            defer { Self.release(node) }
            let text = Text.payload(of: DeliveryNode.bytes(of: node))
            // Without a text there is no frame: a termination.
            #expect(bytes == 0 ? DeliveryNode.bytes(of: node).isEmpty : text == String(repeating: "x", count: bytes))
        }

        @Test func aPoolGivesSmallNodesAgainAndKeepsABoundedNumber() {
            var pool = DeliveryPool()
            defer { pool.release() }
            func make(_ bytes: Int) -> UnsafeMutablePointer<DeliveryNode> {
                let json = Array(repeating: UInt8(ascii: "x"), count: bytes)
                return pool.make(
                    .fanOut, to: LocalChannelID(app: 0, index: ChannelIndex(0), generation: 0), sequence: 1,
                    connection: .none,
                    json: json.span)
            }
            let (small, large) = (make(100), make(5_000))
            pool.give(small)
            pool.give(large)
            let again = make(300)
            #expect(again == small, "the block of the small one is used again, also for a longer frame")
            #expect(DeliveryNode.bytes(of: again).count == 304)
            pool.give(again)
            #expect(pool.count == 1, "the large one was not kept")
            // AddressSanitizer sees a block that is given twice, or lost.
            for node in (0..<1_000).map({ _ in make(10) }) { pool.give(node) }
            #expect(pool.count == DeliveryPool.blocksMax)
        }

        @Test func whatIsLeftIsFreedWithTheQueue() {
            let queue = DeliveryQueue()
            for number in 0..<10 { queue.push(Self.node(producer: 0, number: number)) }
        }
    }
#endif
