@testable import Reactor
import Testing

@Suite("Input that is not consumed at once") struct InputTests {
    @Test func whatTheHandlerLeavesComesAgainLongerAndAnIdleConnectionHoldsNoBuffer() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var seen: [[UInt8]] = []
        script.onReceived = { _, bytes in
            seen.append(Array(bytes))
            return bytes.count < 6 ? 0 : 6
        }
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        for piece in [[1, 2], [3], [4, 5, 6, 7], [8, 9, 10, 11, 12]] as [[UInt8]] {
            _ = peer.send(piece)
            loop.turns(1, script)
        }
        #expect(seen == [[1, 2], [1, 2, 3], [1, 2, 3, 4, 5, 6, 7], [7, 8, 9, 10, 11, 12]])
        #expect(loop.state(slot).input == nil)
        #expect(loop.statistics.inputBytes == 0)
    }

    @Test func inputBeyondTheLimitClosesTheConnection() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        script.onReceived = { _, _ in 0 }
        let (slot, end) = try loop.pair(script)
        loop.inputLimit(slot, bytes: 1_000)
        let peer = Peer(end)
        _ = peer.send([UInt8](repeating: 1, count: 1_000))
        loop.turns(2, script)
        #expect(script.closes.isEmpty)
        _ = peer.send([1])
        loop.turns(2, script)
        #expect(script.closes.map(\.why) == [.overflow])
        #expect(loop.statistics.inputBytes == 0)
    }

    @Test func aPausedConnectionIsNotReadAndItsRestIsReplayed() throws {
        let loop = try EventLoop.manual()
        let script = Script()
        var seen: [Int] = []
        script.onReceived = { slot, bytes in
            seen.append(bytes.count)
            if seen.count == 1 {
                loop.pauseReading(slot)
                return 0
            }
            return bytes.count
        }
        let (slot, end) = try loop.pair(script)
        let peer = Peer(end)
        _ = peer.send([1, 2, 3])
        loop.turns(3, script)
        #expect(seen == [3])
        loop.resumeReading(slot)
        loop.turns(2, script)
        #expect(seen == [3, 3])
        loop.pauseReading(slot)
        _ = peer.send([4])
        loop.turns(3, script)
        #expect(seen == [3, 3])
        loop.resumeReading(slot)
        loop.turns(2, script)
        #expect(seen == [3, 3, 1])
    }
}
