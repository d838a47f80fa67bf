#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import CLinux
    import PusherProtocol
    @testable import Reactor
    import Testing

    /// One more connection of a bench's loop. It is served by the turns of the bench, and read when the test says so.
    final class BenchPeer {
        let slot: UInt32
        private(set) var heard: [UInt8] = []
        private let bench: LoopBench
        private var descriptor: CInt?

        init(_ bench: LoopBench) throws {
            var ends: (CInt, CInt) = (0, 0)
            let answer = withUnsafeMutableBytes(of: &ends) {
                clinux_socket_pair($0.bindMemory(to: CInt.self).baseAddress)
            }
            try #require(answer == 0)
            (self.bench, descriptor) = (bench, ends.1)
            slot = try bench.loop.adopt(Descriptor(owning: ends.0))
            bench.turn(1)
        }

        deinit { hangUp() }

        var text: String { String(decoding: heard, as: UTF8.self) }

        func hangUp() {
            if let descriptor { clinux_close(descriptor) }
            descriptor = nil
        }

        func send(_ bytes: some Collection<UInt8>) {
            guard let descriptor else { preconditionFailure("the peer is gone") }
            let bytes = Array(bytes)
            #expect(bytes.withUnsafeBytes { clinux_send(descriptor, $0.baseAddress, $0.count) } == bytes.count)
        }

        /// Reads what is there.
        func read() {
            guard let descriptor else { return }
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = bytes.withUnsafeMutableBytes { clinux_receive(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { heard += bytes[..<count] }
        }

        /// Becomes a WebSocket client that has subscribed to a channel.
        func subscribe(to channel: String) {
            let fields =
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            send("GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: x\r\n\(fields)\r\n".utf8)
            bench.turn(2)
            let message = #"{"event":"pusher:subscribe","data":{"channel":"\#(channel)"}}"#
            send([0x81, 0x80 | UInt8(message.utf8.count), 0, 0, 0, 0] + message.utf8)
            bench.turn(2)
            read()
            #expect(text.contains("pusher_internal:subscription_succeeded"))
            heard = []
        }
    }

    extension LoopBench {
        /// Publishes an event with so many bytes of data, as a signed call does; deliveries come with the next turns.
        func publish(to channel: String, bytes count: Int) throws {
            let data = String(repeating: "d", count: count)
            let body = Array(#"{"name":"e","channel":"\#(channel)","data":"\#(data)"}"#.utf8)
            let request = try PublishRequest.parse(body: body.span, query: APIQuery(), limits: PayloadLimits())
            server.broker.publish(app: app, request, channel: 0, body: body.span)
        }
    }
#endif
