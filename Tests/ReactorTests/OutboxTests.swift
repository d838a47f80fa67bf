internal import Glibc
@testable import Reactor
import TestSupport
import Testing

/// A socket that takes what its window allows: the same answers in every run.
struct MemorySink: ByteSink {
    var received: [[UInt8]]
    var windows: [Int]
    var allowances: [UInt32: Int] = [:]
    init(_ count: Int) {
        received = Array(repeating: [], count: count)
        windows = Array(repeating: 0, count: count)
    }
    mutating func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        let index = Int(descriptor)
        if windows[index] == 0 && count > 0 { return -Int(EAGAIN) }
        let taken = min(count, windows[index])
        received[index] += UnsafeRawBufferPointer(start: bytes, count: taken)
        windows[index] -= taken
        return taken
    }
    func backlogAllowance(_ slot: UInt32) -> Int { allowances[slot] ?? 0 }
}

/// The arena and the table without a loop around them.
final class Bench {
    let outbox = Outbox()
    var table: ConnectionTable
    var sink: MemorySink
    var overflowed: [UInt32] { table.overflowing.waiting.map(\.token.slot) }

    init(connections: Int, _ options: LoopOptions = LoopOptions()) {
        var options = options
        options.messageLength = messageLength
        table = ConnectionTable(options)
        sink = MemorySink(connections)
        for index in 0..<connections { _ = table.open(CInt(index), outbox) }
    }
    deinit { table.free() }

    func flush() {
        for index in 0..<outbox.entryCount {
            _ = table.flush(entry: index, outbox, &sink)
        }
        outbox.reset()
    }
    var slotCapacity: Int { outbox.slotCapacity }
    func takes(_ slot: UInt32) -> Bool { outbox.takes(slot) }

    func append(_ bytes: [UInt8], to slot: UInt32) {
        _ = bytes.withUnsafeBytes { bytes in
            bytes.baseAddress.map { table.appendBacklog(slot, $0, bytes.count, boundary: 0, outbox) }
        }
    }
    func drain(_ slot: UInt32) { _ = table.drainBacklog(slot, &sink) }
    func frame(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { outbox.frame($0) } }
}

@Suite("Turn arena") struct OutboxTests {
    /// Random frames to random sets, with gaps, repeats, exclusions and any window; the model is one byte array per connection.
    @Test("at any peer speed every connection gets exactly its frames, in order", arguments: 0..<60)
    func model(seed: Int) {
        var random = SeededRandom(seed: seed)
        let count = Int.random(in: 1...12, using: &random)
        var options = LoopOptions()
        options.backlogBytesMax = .max / 2
        options.backlogs = BacklogLedger(limitBytes: 1 << 30)
        let bench = Bench(connections: count, options)
        var expected = [[UInt8]](repeating: [], count: count)
        for _ in 0..<30 {
            for slot in 0..<count where Bool.random(using: &random) {
                bench.sink.windows[slot] = Int.random(in: 0...40_000, using: &random)
                bench.drain(UInt32(slot))
            }
            var made: [(index: UInt32, bytes: [UInt8])] = []
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let size = [0, 3, 125, 126, 900, 20_000, 70_000].randomElement(using: &random) ?? 0
                let bytes = serverFrame([UInt8](repeating: .random(in: 0...255, using: &random), count: size))
                made.append((bench.frame(bytes), bytes))
                // Mostly the newest frame, sometimes an older one again.
                let pick = Int.random(in: 0...9, using: &random) == 0 ? made.randomElement(using: &random) : made.last
                guard let pick else { continue }
                let slots = (0..<UInt32(count)).filter { _ in Int.random(in: 0...3, using: &random) > 0 }
                let except = UInt32.random(in: 0..<UInt32(count + 3), using: &random)
                let wasThere = slots.withUnsafeBufferPointer {
                    bench.outbox.queue(pick.index, to: $0, except: except)
                }
                #expect(wasThere == slots.contains(except))
                for slot in slots where slot != except { expected[Int(slot)] += pick.bytes }
            }
            bench.flush()
        }
        for slot in 0..<count {
            bench.sink.windows[slot] = .max
            bench.drain(UInt32(slot))
            #expect(bench.sink.received[slot] == expected[slot])
            #expect(bench.table.states[slot].backlog == nil)
        }
        #expect(bench.table.statistics.backlogBytes == 0)
    }

    @Test("an overflowing connection keeps the frame it has begun and no other", arguments: 0..<60)
    func startedMessage(seed: Int) {
        var random = SeededRandom(seed: seed)
        var options = LoopOptions()
        options.backlogBytesMax = 3_000
        let bench = Bench(connections: 1, options)
        var sent: [[UInt8]] = []
        while bench.overflowed.isEmpty {
            bench.sink.windows[0] = Int.random(in: 0...200, using: &random)
            bench.drain(0)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let payload = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                sent.append(serverFrame(payload))
                bench.outbox.queue(bench.frame(sent[sent.count - 1]), to: 0)
            }
            bench.flush()
        }
        #expect(bench.overflowed == [0])
        bench.outbox.queue(bench.frame([1, 2, 3]), to: 0)  // dropped: it overflowed
        bench.flush()
        let goodbye = serverFrame([0x10, 0x04], opcode: 8)
        bench.append(goodbye, to: 0)
        bench.sink.windows[0] = .max
        bench.drain(0)
        let frames = splitFrames(bench.sink.received[0])
        #expect(frames?.last == goodbye)
        #expect(frames?.dropLast().elementsEqual(sent.prefix((frames?.count ?? 1) - 1)) == true)
        #expect(bench.table.statistics.backlogBytes == 0)
    }

    @Test func oneMessageLargerThanTheLimitIsTakenOntoAnEmptyBacklog() {
        var options = LoopOptions()
        options.backlogBytesMax = 1_000
        let bench = Bench(connections: 1, options)
        let big = serverFrame([UInt8](repeating: 7, count: 50_000))
        bench.outbox.send(big, to: 0)
        bench.flush()
        #expect(bench.overflowed.isEmpty)
        bench.sink.windows[0] = .max
        bench.drain(0)
        #expect(bench.sink.received[0] == big)
    }

    @Test func framesForAConnectionClosedInTheSameTurnAreDropped() {
        let bench = Bench(connections: 2)
        bench.sink.windows = [.max, .max]
        bench.outbox.send([1], to: 0)
        bench.outbox.send([2], to: 1)
        bench.table.kill(0, bench.outbox)
        bench.outbox.send([3], to: 0)
        bench.table.retire(0)
        bench.outbox.send([4], to: 0)
        bench.flush()
        #expect(bench.sink.received == [[], [2]])
    }

    @Test func anUnknownBacklogIsKeptWholeRatherThanCut() {
        let bench = Bench(connections: 1)
        bench.outbox.send(Array("HTTP/1.1 200 OK\r\n\r\nno frame".utf8), to: 0)
        bench.sink.windows[0] = 22
        bench.flush()
        bench.table.keepStartedMessage(0)
        bench.sink.windows[0] = .max
        bench.drain(0)
        #expect(bench.sink.received[0] == Array("HTTP/1.1 200 OK\r\n\r\nno frame".utf8))
    }

    @Test func aSlotCostsAtMost128Bytes() {
        #expect(MemoryLayout<ConnectionState>.stride + 2 * MemoryLayout<UInt32>.stride <= 128)
    }
}
