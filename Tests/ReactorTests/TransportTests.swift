internal import CLinux
@testable import Reactor
import TestSupport
import Testing

/// Connections whose bytes pass a layer, over real socket pairs, with a layer that does all that TLS may do.
@Suite("A transport that changes the bytes") struct TransportTests {
    /// Two loops that talk through a pair of layers, turned by the test.
    private final class Line {
        let loops: [EventLoop]
        let scripts = [Script(), Script()]
        let layers: [XorLayer]
        private(set) var slots: [UInt32] = []
        var heard: [[UInt8]] = [[], []]
        var opened = [0, 0]
        var ends = [0, 0]

        init(_ layers: [XorLayer], _ change: (inout LoopOptions) -> Void = { _ in }) throws {
            self.layers = layers
            loops = try [EventLoop.manual(change), EventLoop.manual(change)]
            let ends = try socketPair()
            slots = [
                try loops[0].adopt(Descriptor(owning: ends.0), tag: 7, layer: layers[0]),
                try loops[1].adopt(Descriptor(owning: ends.1), tag: 8, layer: layers[1]),
            ]
            for side in 0..<2 {
                scripts[side].onOpened = { [unowned self] slot, _, tag in
                    #expect(slot == slots[side] && tag == 7 + side && layers[side].isEstablished)
                    opened[side] += 1
                }
                scripts[side].onReceived = { [unowned self] _, bytes in
                    #expect(opened[side] == 1)
                    heard[side] += bytes
                    return bytes.count
                }
                scripts[side].onEnd = { [unowned self] _ in self.ends[side] += 1 }
            }
        }

        /// What a failure prints.
        var state: String {
            (0..<2).map { side in
                let one = loops[side].state(slots[side]), transport = loops[side].table.transport(slots[side])
                return "heard \(heard[side].count), backlog \(one.backlogCount), flags \(one.flags.rawValue), "
                    + "interest \(one.interest), awaits \(transport?.awaitsInput ?? false), "
                    + "out \(layers[side].outgoing.count), in \(layers[side].incomingCount), "
                    + "closes \(scripts[side].closes.map(\.why))"
            }.joined(separator: " | ")
        }

        func turn(_ side: Int) { loops[side].turns(1, scripts[side]) }

        /// Turns both until something holds. False after very many turns.
        func run(until holds: () -> Bool) -> Bool {
            for _ in 0..<3_000 {
                if holds() { return true }
                turn(0)
                turn(1)
            }
            return false
        }
    }

    @Test(
        "with records cut anywhere, new keys at any time and pauses, both sides get everything in order",
        arguments: 0..<16)
    func conversation(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let line = try Line(
            (0..<2).map { side in
                XorLayer(
                    isClient: side == 0, seed: seed * 2 + side, rekeyOneIn: random.pick([0, 2, 5, 20]),
                    pieceMax: random.pick([150, 1_000, 20_000, .max]))
            }
        ) {
            $0.backlogBytesMax = 1 << 30
            $0.inputBytesMax = 1 << 30
        }
        var expected: [[UInt8]] = [[], []]
        var isPaused = [false, false]
        for turn in 0..<80 {
            for side in 0..<2 {
                if line.opened[side] == 1 {
                    for _ in 0..<random.int(0...3) {
                        let count = random.int(0...random.pick([9, 3_000, 30_000]))
                        let bytes = serverFrame([UInt8](repeating: UInt8(truncatingIfNeeded: turn), count: count))
                        line.loops[side].outbox.send(bytes, to: line.slots[side])
                        expected[1 - side] += bytes
                    }
                    if random.oneIn(8) {
                        isPaused[side].toggle()
                        if isPaused[side] {
                            line.loops[side].pauseReading(line.slots[side])
                        } else {
                            line.loops[side].resumeReading(line.slots[side])
                        }
                    }
                }
                if random.oneIn(2) { line.turn(side) }
            }
        }
        for side in 0..<2 where isPaused[side] { line.loops[side].resumeReading(line.slots[side]) }
        let isHeard = line.run { line.heard[0].count >= expected[0].count && line.heard[1].count >= expected[1].count }
        try #require(isHeard, "seed \(seed): \(line.state)")
        for side in 0..<2 { #expect(line.heard[side].elementsEqual(expected[side]), "seed \(seed)") }
        // Nothing waits any more, and nothing is counted.
        #expect(line.run { (0..<2).allSatisfy { !line.loops[$0].isBehind(line.slots[$0]) } })
        for side in 0..<2 {
            #expect(line.loops[side].statistics.backlogBytes == 0 && line.loops[side].backlogMemory == 0)
            #expect(line.loops[side].runTurn(line.scripts[side], mayWait: false), "the loop may sleep")
        }
        // The goodbye comes before our FIN, and the handler of the other side hears of the end once.
        line.scripts[1].onEnd = { [unowned line] slot in
            line.ends[1] += 1
            line.loops[1].finish(slot, lingerNanoseconds: 1_000_000_000)
        }
        line.loops[0].finish(line.slots[0], lingerNanoseconds: 1_000_000_000)
        #expect(line.run { line.scripts.allSatisfy { $0.closes.count == 1 } }, "seed \(seed)")
        #expect(line.layers[1].isTold && line.layers[0].isTold && line.ends[1] == 1 && line.ends[0] == 0)
        #expect(line.scripts.allSatisfy { $0.closes.map(\.why) == [.local] }, "seed \(seed)")
    }

    @Test func aRunIsWrittenAsFullRecordsAndNotOnePerFrame() throws {
        let line = try Line([XorLayer(isClient: true), XorLayer(isClient: false)])
        #expect(line.run { line.opened == [1, 1] })
        let frame = serverFrame([UInt8](repeating: 1, count: 98))
        for _ in 0..<1_000 { line.loops[0].outbox.send(frame, to: line.slots[0]) }
        #expect(line.run { line.heard[1].count == 100_000 })
        #expect(line.layers[0].recordSizes == Array(repeating: 16_384, count: 6) + [100_000 - 6 * 16_384])
    }

    @Test func oneReadMayGiveMoreThanOneBufferAndTheSocketDoesNotTellOfTheRest() throws {
        let line = try Line([XorLayer(isClient: true), XorLayer(isClient: false)]) { $0.receiveBufferBytes = 1_000 }
        #expect(line.run { line.opened == [1, 1] })
        var sizes: [Int] = []
        line.scripts[1].onReceived = { _, bytes in
            sizes.append(bytes.count)
            return bytes.count
        }
        line.loops[0].outbox.send([UInt8](repeating: 1, count: 10_500), to: line.slots[0])
        line.turn(0)
        var mayWait = line.loops[1].runTurn(line.scripts[1], mayWait: false)
        #expect(sizes.reduce(0, +) <= 1_000 && !mayWait, "one buffer a turn, and no sleep while there is more")
        while !mayWait { mayWait = line.loops[1].runTurn(line.scripts[1], mayWait: false) }
        #expect(sizes.reduce(0, +) == 10_500 && sizes.allSatisfy { $0 <= 1_000 })
    }

    @Test func whatAPausedConnectionsLayerHoldsIsReadWhenItResumes() throws {
        let line = try Line([XorLayer(isClient: true), XorLayer(isClient: false)]) { $0.receiveBufferBytes = 1_000 }
        #expect(line.run { line.opened == [1, 1] })
        line.scripts[1].onReceived = { [unowned line] slot, bytes in
            line.heard[1] += bytes
            line.loops[1].pauseReading(slot)
            return bytes.count
        }
        line.loops[0].outbox.send([UInt8](repeating: 1, count: 3_000), to: line.slots[0])
        line.turn(0)
        for _ in 0..<5 { line.turn(1) }
        let first = line.heard[1].count
        #expect(first > 0 && first <= 1_000)
        var resumes = 0
        while line.heard[1].count < 3_000, resumes < 4_000 {
            line.loops[1].resumeReading(line.slots[1])
            line.turn(1)
            resumes += 1
        }
        #expect(line.heard[1].count == 3_000)
    }

    /// One side can only write when it has read, and its handler does not want to read.
    @Test func aPausedConnectionIsReadForItsLayersSakeOnly() throws {
        let line = try Line([XorLayer(isClient: true, rekeyOneIn: 1), XorLayer(isClient: false)])
        #expect(line.run { line.opened == [1, 1] })
        let (loop, slot) = (line.loops[0], line.slots[0])
        loop.pauseReading(slot)
        line.loops[1].outbox.send([4, 5, 6], to: line.slots[1])
        loop.outbox.send([1, 2, 3], to: slot)
        // Every attempt to seal asks for a key and none is ever enough: it keeps asking, and is fed.
        #expect(line.run { line.layers[0].keys > 5 })
        #expect(line.heard[0].isEmpty, "its handler sleeps")
        #expect(loop.backlogBytes(slot) == 3)
        loop.resumeReading(slot)
        #expect(line.run { line.heard[0] == [4, 5, 6] })
    }

    @Test func aLayerThatWaitsToBeFedDoesNotWaitForTheSocketToTakeBytes() throws {
        let line = try Line([XorLayer(isClient: true, rekeyOneIn: 1), XorLayer(isClient: false)])
        #expect(line.run { line.opened == [1, 1] })
        line.layers[1].isDeaf = true
        line.loops[0].pauseReading(line.slots[0])
        line.loops[0].outbox.send([1, 2, 3], to: line.slots[0])
        line.turn(0)
        line.turn(0)
        let state = line.loops[0].state(line.slots[0])
        #expect(state.backlogCount == 3 && line.layers[0].outgoing.isEmpty)
        #expect(state.interest == EPOLLIN.rawValue, "the socket would say in every turn that it does")
    }

    @Test func aPeerThatTalksInsteadOfAnsweringIsNotBufferedWithoutEnd() throws {
        let line = try Line([XorLayer(isClient: true, rekeyOneIn: 1), XorLayer(isClient: false)]) {
            $0.inputBytesMax = 50_000
            $0.backlogBytesMax = 1 << 30
        }
        #expect(line.run { line.opened == [1, 1] })
        line.layers[1].isDeaf = true
        line.loops[0].pauseReading(line.slots[0])
        line.loops[0].outbox.send([1], to: line.slots[0])
        for _ in 0..<100 {
            line.loops[1].outbox.send([UInt8](repeating: 7, count: 10_000), to: line.slots[1])
            line.turn(0)
            line.turn(1)
        }
        #expect(line.scripts[0].closes.map(\.why) == [.overflow])
    }

    @Test("a slow peer gets whole messages and the last words, whatever was sealed", arguments: 0..<10)
    func overflow(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        let line = try Line([
            XorLayer(isClient: true, seed: seed, rekeyOneIn: random.pick([0, 4]), pieceMax: random.pick([500, .max])),
            XorLayer(isClient: false, seed: seed + 1),
        ]) { $0.backlogBytesMax = 50_000 }
        let goodbye = serverFrame([0x10, 0x04], opcode: 8)
        line.scripts[0].onOverflow = { [unowned line] slot in
            goodbye.withUnsafeBytes { line.loops[0].finishWithFrame(slot, $0) }
        }
        #expect(line.run { line.opened == [1, 1] })
        line.loops[1].pauseReading(line.slots[1])
        var sent: [[UInt8]] = []
        while line.scripts[0].overflows.isEmpty, sent.count < 10_000 {
            let byte = UInt8(truncatingIfNeeded: sent.count)
            sent.append(serverFrame([UInt8](repeating: byte, count: random.int(0...9_000))))
            line.loops[0].outbox.send(sent[sent.count - 1], to: line.slots[0])
            line.turn(0)
            if random.oneIn(5) { line.turn(1) }
        }
        #expect(line.scripts[0].overflows == [line.slots[0]])
        #expect(line.loops[0].statistics.backlogBytes <= 9_100 + goodbye.count)
        line.loops[1].resumeReading(line.slots[1])
        line.scripts[1].onEnd = { [unowned line] slot in line.loops[1].finish(slot, lingerNanoseconds: 1_000_000_000) }
        #expect(line.run { line.scripts.allSatisfy { $0.closes.count == 1 } })
        let frames = splitFrames(line.heard[1])
        #expect(frames?.last == goodbye, "seed \(seed)")
        #expect(frames?.dropLast().elementsEqual(sent.prefix((frames?.count ?? 1) - 1)) == true, "seed \(seed)")
        #expect(line.layers[1].isTold && line.loops[0].backlogMemory == 0)
    }

    @Test func theRestOfARecordIsCountedAmongTheBacklogsUntilItIsGone() throws {
        let line = try Line([XorLayer(isClient: true), XorLayer(isClient: false)])
        #expect(line.run { line.opened == [1, 1] })
        line.loops[1].pauseReading(line.slots[1])
        var counted = 0
        for _ in 0..<200 where counted == 0 || line.loops[0].backlogBytes(line.slots[0]) > 0 {
            line.loops[0].outbox.send(serverFrame([UInt8](repeating: 1, count: 20_000)), to: line.slots[0])
            line.turn(0)
            counted = line.layers[0].outgoing.count
            if counted > 0 { break }
        }
        let capacity = Int(line.loops[0].state(line.slots[0]).backlogCapacity)
        #expect(counted > 0 && line.loops[0].backlogMemory == capacity + counted)
        line.loops[0].abort(line.slots[0])
        #expect(line.loops[0].backlogMemory == 0)
    }

    @Test func theRestOfARecordGoesOutThoughNothingMoreIsSaid() throws {
        let line = try Line([XorLayer(isClient: true), XorLayer(isClient: false)])
        #expect(line.run { line.opened == [1, 1] })
        line.loops[1].pauseReading(line.slots[1])
        var sent = 0
        while line.layers[0].outgoing.isEmpty, sent < 10_000_000 {
            line.loops[0].outbox.send([UInt8](repeating: 1, count: 3_000), to: line.slots[0])
            sent += 3_000
            line.turn(0)
        }
        let backlog = line.loops[0].backlogBytes(line.slots[0])
        #expect(backlog == 0 && !line.layers[0].outgoing.isEmpty, "one record has all of the last message")
        line.loops[1].resumeReading(line.slots[1])
        #expect(line.run { line.heard[1].count == sent })
    }

    // MARK: The handshake

    @Test func nobodyHearsOfAConnectionBeforeItsHandshakeNorWhenItFails() throws {
        let loop = try EventLoop.manual { $0.handshakeMilliseconds = 2_000 }
        let script = Script()
        var opened = 0
        script.onOpened = { _, _, _ in opened += 1 }
        let silent = try socketPair(), wrong = try socketPair(), gone = try socketPair()
        for end in [silent.0, wrong.0, gone.0] {
            try loop.adopt(Descriptor(owning: end), layer: XorLayer(isClient: false))
        }
        let peers = [silent.1, wrong.1, gone.1].map { Peer($0) }
        loop.turns(1, script)
        #expect(loop.connectionCount == 3)
        #expect(peers[1].send(Array("GET / HTTP/1.1\r\n\r\n".utf8)) > 0)
        peers[2].close()
        loop.turns(2, script)
        #expect(loop.connectionCount == 1 && loop.statistics.handshakesFailed == 2)
        loop.advance(milliseconds: 1_900)
        loop.turns(2, script)
        #expect(loop.connectionCount == 1, "it has time")
        loop.advance(milliseconds: 300)
        loop.turns(2, script)
        #expect(loop.connectionCount == 0 && loop.statistics.handshakesFailed == 3)
        // Whoever adopted them knows their slots, and hears of the end.
        #expect(opened == 0 && Set(script.closes.map(\.slot)).count == 3)
    }

    @Test func anAcceptedConnectionThatIsNoneIsNeverHeardOf() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        script.onOpened = { _, _, _ in Issue.record("it was opened") }
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
        let port = listener.port
        loop.listen(on: listener, tag: 5) { XorLayer(isClient: false) }
        let other = try EventLoop.manual(), caller = Script()
        caller.onOpened = { slot, _, _ in other.outbox.send(Array("GET / HTTP/1.1\r\n\r\n".utf8), to: slot) }
        try other.connect(to: try #require(PeerAddress.parse(host: "127.0.0.1", port: port)))
        #expect(
            other.turns(caller) {
                loop.turns(1, script)
                return loop.statistics.handshakesFailed == 1
            })
        loop.turns(2, script)
        #expect(script.closes.isEmpty && loop.connectionCount == 0)
    }

    @Test func aHandshakesDeadlineDoesNotOutliveIt() throws {
        let line = try Line([XorLayer(isClient: true), XorLayer(isClient: false)]) { $0.handshakeMilliseconds = 500 }
        #expect(line.run { line.opened == [1, 1] })
        for loop in line.loops { loop.advance(milliseconds: 2_000) }
        for side in 0..<2 { line.turn(side) }
        #expect(line.scripts.allSatisfy(\.closes.isEmpty) && line.loops.allSatisfy { $0.connectionCount == 1 })
    }

    @Test func aListenerGivesEachOfItsConnectionsALayer() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var opened: [(UInt32, Int)] = []
        script.onOpened = { slot, _, tag in opened.append((slot, tag)) }
        script.onReceived = { slot, bytes in
            loop.outbox.send(Array(bytes.reversed()), to: slot)
            return bytes.count
        }
        let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: false, backlog: 8)
        let port = listener.port
        loop.listen(on: listener, tag: 5) { XorLayer(isClient: false) }
        let other = try EventLoop.manual()
        let caller = Script()
        var heard: [UInt8] = []
        caller.onOpened = { slot, _, _ in other.outbox.send([1, 2, 3], to: slot) }
        caller.onReceived = { _, bytes in
            heard += bytes
            return bytes.count
        }
        let address = try #require(PeerAddress.parse(host: "127.0.0.1", port: port))
        try other.connect(to: address, layer: XorLayer(isClient: true))
        #expect(
            other.turns(caller) {
                loop.turns(1, script)
                return heard == [3, 2, 1]
            })
        #expect(opened.map(\.1) == [5])
    }
}
