internal import Crypto
internal import Reactor
internal import Wire

/// Upgrades every request and sends every message back as it came.
final class EchoServer: LoopHandler {
    /// What the Autobahn suite's largest cases (9.x) need.
    static let messageBytesMax = 16 * 1_024 * 1_024

    private struct Connection {
        var isUpgraded = false
        var isEnding = false
        var receiver = WebSocketReceiver()
    }

    private let loop: EventLoop
    private var connections: [Connection] = []
    private var frame: [UInt8] = []
    /// Cases 9.3.1 and 9.4.1 send 4 MiB in fragments of 64 bytes and then an empty last one.
    private static let fragmentsMax = 65_537
    private let limits = WebSocketLimits(
        messageBytesMax: EchoServer.messageBytesMax, fragmentsMax: EchoServer.fragmentsMax, binaryMustBeText: false)
    private static let lingerNanoseconds: UInt64 = 2_000_000_000

    init(_ loop: EventLoop) { self.loop = loop }

    func opened(_ slot: UInt32, peer: PeerAddress, listener: Int) {
        while connections.count <= Int(slot) { connections.append(Connection()) }
        connections[Int(slot)] = Connection()
    }

    func received(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var offset = 0
        if !connections[Int(slot)].isUpgraded {
            guard let headBytes = upgrade(slot, bytes) else { return connections[Int(slot)].isEnding ? bytes.count : 0 }
            offset = headBytes
        }
        do throws(WebSocketFailure) {
            while !connections[Int(slot)].isEnding {
                let event = try connections[Int(slot)].receiver.next(bytes, from: &offset, limits: limits)
                if case .needMore = event { return offset }
                answer(event, slot, bytes)
            }
        } catch {
            frame.removeAll(keepingCapacity: true)
            WebSocketFrame.appendClose(code: error.closeCode, reason: error.text, to: &frame)
            end(slot)
        }
        return bytes.count
    }

    /// - Returns: the bytes of the request's head; nil when it is not whole yet or was refused.
    private func upgrade(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int? {
        let input = UnsafeBufferPointer(bytes)
        frame.removeAll(keepingCapacity: true)
        do throws(HTTPFailure) {
            guard let head = try HTTPRequestParser.parse(input.span, limits: HTTPLimits()) else { return nil }
            guard head.upgradesToWebSocket, let key = head.webSocketKey else {
                throw HTTPFailure(status: 426, text: "only WebSocket is spoken here")
            }
            var text = Array(input[key])
            WebSocketHandshake.keySuffix.withUTF8Buffer { text.append(contentsOf: $0) }
            let digest = Digest.sha1(text.span)
            WebSocketHandshake.appendResponse(
                digest: digest.span, date: HTTPDate(unixSeconds: WallClock.seconds()), subprotocol: nil, to: &frame)
            loop.outbox.send(frame, to: slot)
            connections[Int(slot)].isUpgraded = true
            return head.headBytes
        } catch {
            let body = Array(error.text.utf8)
            HTTPResponse.append(
                status: error.status, date: HTTPDate(unixSeconds: WallClock.seconds()), contentType: "text/plain",
                body: body.span, keepAlive: false, to: &frame)
            end(slot)
            return nil
        }
    }

    private func answer(_ event: WebSocketReceiver.Event, _ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) {
        frame.removeAll(keepingCapacity: true)
        switch event {
        case .needMore, .pong: return
        case .message(.inPlace(let range), let isText):
            WebSocketFrame.appendHeader(isText ? .text : .binary, payloadBytes: range.count, to: &frame)
            frame.append(contentsOf: bytes[range])
        case .message(.assembled, let isText):
            let message = connections[Int(slot)].receiver.assembly
            WebSocketFrame.appendHeader(isText ? .text : .binary, payloadBytes: message.count, to: &frame)
            frame.append(contentsOf: message)
        case .ping(let range):
            WebSocketFrame.appendHeader(.pong, payloadBytes: range.count, to: &frame)
            frame.append(contentsOf: bytes[range])
        case .close(let code, _):
            if let code {
                WebSocketFrame.appendClose(code: code, reason: "", to: &frame)
            } else {
                WebSocketFrame.appendHeader(.close, payloadBytes: 0, to: &frame)
            }
            return end(slot)
        }
        loop.outbox.send(frame, to: slot)
    }

    /// Sends what stands in `frame` as the last words.
    private func end(_ slot: UInt32) {
        connections[Int(slot)].isEnding = true
        loop.outbox.send(frame, to: slot)
        loop.finish(slot, lingerNanoseconds: Self.lingerNanoseconds)
    }

    func endOfStream(_ slot: UInt32) { loop.finish(slot, lingerNanoseconds: 0) }
    func timerFired(_ slot: UInt32) {}
    func overflowed(_ slot: UInt32, _ why: Overflow) { loop.abort(slot) }
    func closed(_ slot: UInt32, _ why: TransportClose) { connections[Int(slot)] = Connection() }
    func turn() -> Bool { false }
    func tick() {}
    func hasWork() -> Bool { false }
}
