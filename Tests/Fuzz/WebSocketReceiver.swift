// Client frames, whole and in pieces. First byte: the size of the pieces; second: options; the rest: the peer's bytes.
#if canImport(Wire)
    import Wire
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count >= 2 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: start + 2, count: count - 2))
    let limits = WebSocketLimits(messageBytesMax: 300, fragmentsMax: 5, binaryMustBeText: start[1] & 1 == 0)
    let whole = Conversation(input, step: max(1, input.count), limits)
    let parts = Conversation(input, step: Int(start[0] & 31) + 1, limits)
    precondition(whole == parts, "the pieces change what was said")
    return 0
}

/// Everything one peer said, as a loop would hear it.
private struct Conversation: Equatable {
    var messages: [[UInt8]] = []
    var failure: WebSocketFailure?

    init(_ input: [UInt8], step: Int, _ limits: WebSocketLimits) {
        var receiver = WebSocketReceiver()
        var pending: [UInt8] = []
        for start in stride(from: 0, to: input.count, by: step) where failure == nil {
            pending += input[start..<min(start + step, input.count)]
            var offset = 0
            do throws(WebSocketFailure) {
                while try hear(&receiver, &pending, &offset, limits) {}
            } catch {
                failure = error
            }
            pending.removeFirst(offset)
            precondition(failure != nil || pending.count < limits.messageBytesMax + 14, "buffers beyond the limit")
        }
    }

    private mutating func hear(
        _ receiver: inout WebSocketReceiver, _ pending: inout [UInt8], _ offset: inout Int, _ limits: WebSocketLimits
    ) throws(WebSocketFailure) -> Bool {
        let result = pending.withUnsafeMutableBufferPointer { bytes in
            Result { () throws(WebSocketFailure) in try receiver.next(bytes, from: &offset, limits: limits) }
        }
        switch try result.get() {
        case .needMore(let bytesMin):
            precondition(bytesMin > pending.count - offset, "asks for bytes it has")
            return false
        case .message(let payload, let isText):
            let bytes = if case .inPlace(let range) = payload { Array(pending[range]) } else { receiver.assembly }
            precondition(bytes.count <= limits.messageBytesMax, "the message passed its limit")
            if isText || limits.binaryMustBeText {
                precondition(String(validating: bytes, as: UTF8.self) != nil, "the text is not UTF-8")
            }
            messages.append([isText ? 1 : 2] + bytes)
        case .ping(let range): messages.append([9] + pending[range])
        case .pong(let range): messages.append([10] + pending[range])
        case .close(let code, let reason):
            precondition(String(validating: pending[reason], as: UTF8.self) != nil, "the reason is not UTF-8")
            messages.append([8, UInt8(truncatingIfNeeded: code ?? 0)] + pending[reason])
        }
        return true
    }
}
