internal import Glibc
@testable import Reactor
import TestSupport
import Testing

/// The product's hottest loop, alone. Not a test: `STARLING_BENCHMARK=1 swift test -c release -Xswiftc -enable-testing --filter FanOut`.
@Suite(.serialized, .enabled(if: getenv("STARLING_BENCHMARK") != nil)) struct FanOutBenchmark {
    private struct NoSink: ByteSink {
        func send(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int) -> Int { count }
        func backlogAllowance(_ slot: UInt32) -> Int { 0 }
    }

    @Test(arguments: [(1_000, 1), (1_000, 4), (1_000, 16), (10_000, 4)])
    func nanosecondsPerDelivery(connections: Int, publishesPerTurn: Int) {
        let outbox = Outbox()
        var table = ConnectionTable(LoopOptions())
        defer { table.free() }
        var sink = NoSink()
        var random = SeededRandom(seed: 1)
        let slots = (0..<connections).map { table.open(CInt($0), &outbox.state.pointee) }.shuffled(using: &random)
        let frame = serverFrame([UInt8](repeating: 65, count: 128))
        let turns = 10_000_000 / (connections * publishesPerTurn)
        var samples: [(queue: Double, total: Double)] = []
        for _ in 0..<9 {
            var queueNanoseconds: UInt64 = 0
            let start = MonotonicTime.now()
            for _ in 0..<turns {
                let turnStart = MonotonicTime.now()
                for _ in 0..<publishesPerTurn {
                    let index = frame.withUnsafeBytes { outbox.frame($0) }
                    slots.withUnsafeBufferPointer { outbox.queue(index, to: $0) }
                }
                queueNanoseconds += MonotonicTime.now().nanosecondsSince(turnStart)
                for entry in 0..<outbox.state.pointee.entryCount {
                    _ = table.flush(entry: entry, &outbox.state.pointee, &sink)
                }
                outbox.state.pointee.reset()
            }
            let deliveries = Double(turns * connections * publishesPerTurn)
            let total = Double(MonotonicTime.now().nanosecondsSince(start))
            samples.append((Double(queueNanoseconds) / deliveries, total / deliveries))
        }
        samples.sort { $0.total < $1.total }
        let median = samples[samples.count / 2]
        print(
            "\(connections) connections, \(publishesPerTurn) publishes a turn:", median.queue, "ns queue,",
            median.total, "ns in all")
    }
}
