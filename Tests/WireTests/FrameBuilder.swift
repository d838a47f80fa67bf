import Wire

/// Builds client frames, right and wrong ones. Every frame gets another masking key, derived from its content.
enum Frame {
    static func text(_ payload: [UInt8], fin: Bool = true) -> [UInt8] { raw(fin ? 0x81 : 0x01, payload) }
    static func binary(_ payload: [UInt8], fin: Bool = true) -> [UInt8] { raw(fin ? 0x82 : 0x02, payload) }
    static func more(_ payload: [UInt8], fin: Bool) -> [UInt8] { raw(fin ? 0x80 : 0x00, payload) }
    static func ping(_ payload: [UInt8]) -> [UInt8] { raw(0x89, payload) }
    static func pong(_ payload: [UInt8]) -> [UInt8] { raw(0x8A, payload) }
    static func close(_ code: Int, _ reason: [UInt8] = []) -> [UInt8] {
        raw(0x88, [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)] + reason)
    }

    /// A masked frame with this first byte. `lengthBytes`: 0, 2 or 8; nil: as short as possible.
    static func raw(_ first: UInt8, _ payload: [UInt8], lengthBytes: Int? = nil) -> [UInt8] {
        let key = payload.reduce(0x9E37_79B9 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let shortest = payload.count < 126 ? 0 : payload.count < 65_536 ? 2 : 8
        return header(first, payload.count, lengthBytes: lengthBytes ?? shortest, key: key)
            + payload.enumerated().map { $1 ^ UInt8(truncatingIfNeeded: key >> (8 * UInt32($0 & 3))) }
    }

    static func header(_ first: UInt8, _ length: Int, lengthBytes: Int, key: UInt32 = 0) -> [UInt8] {
        var out = [first, 0x80 | (lengthBytes == 0 ? UInt8(length) : lengthBytes == 2 ? 126 : 127)]
        for index in 0..<lengthBytes {
            out.append(
                UInt8(truncatingIfNeeded: UInt64(bitPattern: Int64(length)) >> (8 * UInt64(lengthBytes - 1 - index))))
        }
        for shift: UInt32 in [0, 8, 16, 24] { out.append(UInt8(truncatingIfNeeded: key >> shift)) }
        return out
    }
}

/// What came out of a receiver, with the payloads copied.
struct Received: Equatable, Sendable {
    enum Item: Equatable, Sendable {
        case text(String), binary([UInt8]), ping([UInt8]), pong([UInt8]), close(Int?, String)
    }

    var items: [Item] = []
    var failure: WebSocketFailure?

    init(_ items: [Item] = [], _ failure: WebSocketFailure? = nil) { (self.items, self.failure) = (items, failure) }

    /// Feeds the pieces as a loop does: what is not consumed comes again, longer, at another address.
    init(feeding pieces: [[UInt8]], limits: WebSocketLimits = .init(messageBytesMax: 1 << 24)) {
        var receiver = WebSocketReceiver()
        var pending: [UInt8] = []
        for piece in pieces where failure == nil {
            pending += piece
            var offset = 0
            let result = Result { () throws(WebSocketFailure) in
                try Self.drain(&receiver, &pending, &offset, limits, &items)
            }
            if case .failure(let error) = result { failure = error }
            pending.removeFirst(offset)
        }
    }

    private static func drain(
        _ receiver: inout WebSocketReceiver, _ pending: inout [UInt8], _ offset: inout Int, _ limits: WebSocketLimits,
        _ items: inout [Item]
    ) throws(WebSocketFailure) {
        while true {
            var event = WebSocketReceiver.Event.needMore(bytesMin: 0)
            let result = pending.withUnsafeMutableBufferPointer { buffer in
                Result { () throws(WebSocketFailure) in try receiver.next(buffer, from: &offset, limits: limits) }
            }
            event = try result.get()
            switch event {
            case .needMore(let bytesMin):
                precondition(bytesMin > pending.count - offset, "the receiver asks for bytes it has")
                precondition(offset <= pending.count, "the receiver consumed bytes it was not given")
                return
            case .message(let payload, let isText):
                let bytes = if case .inPlace(let range) = payload { Array(pending[range]) } else { receiver.assembly }
                items.append(isText ? .text(String(decoding: bytes, as: UTF8.self)) : .binary(bytes))
            case .ping(let range): items.append(.ping(Array(pending[range])))
            case .pong(let range): items.append(.pong(Array(pending[range])))
            case .close(let code, let reason):
                items.append(.close(code.map(Int.init), String(decoding: pending[reason], as: UTF8.self)))
            }
        }
    }
}
