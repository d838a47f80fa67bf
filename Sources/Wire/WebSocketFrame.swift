/// Writing frames, and the masking both sides share (RFC 6455 §5).
public enum WebSocketFrame {
    /// Header bytes of an unmasked frame: 2, 4 or 10.
    public static func headerBytes(payloadBytes: Int) -> Int {
        payloadBytes < 126 ? 2 : payloadBytes <= 0xFFFF ? 4 : 10
    }

    /// The most bytes an unmasked header has.
    public static let headerBytesMax = 10

    /// Writes the header of an unfragmented, unmasked frame to memory with room for `headerBytes`.
    public static func writeHeader(_ opcode: WebSocketOpcode, payloadBytes: Int, to target: UnsafeMutableRawPointer) {
        writeHeader(opcode, payloadBytes: payloadBytes, maskBit: 0, to: target)
    }

    /// Appends the header of an unfragmented, unmasked frame; the payload follows it.
    public static func appendHeader(_ opcode: WebSocketOpcode, payloadBytes: Int, to out: inout [UInt8]) {
        appendHeader(opcode, payloadBytes: payloadBytes, maskBit: 0, to: &out)
    }

    /// Appends a whole close frame. `reason` is cut to 123 bytes, between characters. (§5.5.1)
    public static func appendClose(code: UInt16, reason: String, to out: inout [UInt8]) {
        var kept = 0
        for scalar in reason.unicodeScalars {
            let bytes = UTF8.width(scalar)
            guard kept + bytes <= 123 else { break }
            kept += bytes
        }
        appendHeader(.close, payloadBytes: 2 + kept, to: &out)
        out.append(UInt8(truncatingIfNeeded: code >> 8))
        out.append(UInt8(truncatingIfNeeded: code))
        out.append(contentsOf: reason.utf8.prefix(kept))
    }

    /// The length, header included, of the unmasked frame that starts at `offset`; nil when its header is not complete.
    /// For frames this process wrote: it trusts them, and a length beyond `Int` counts as `Int.max`.
    public static func length(of bytes: Span<UInt8>, at offset: Int) -> Int? {
        let available = bytes.count - offset
        guard available >= 2 else { return nil }
        let short = Int(bytes[offset + 1] & 0x7F)
        guard short >= 126 else { return 2 + short }
        let lengthBytes = short == 126 ? 2 : 8
        guard available >= 2 + lengthBytes else { return nil }
        var length: UInt64 = 0
        for index in 0..<lengthBytes { length = length << 8 | UInt64(bytes[offset + 2 + index]) }
        let (sum, overflowed) = length.addingReportingOverflow(UInt64(2 + lengthBytes))
        return overflowed ? .max : Int(clamping: sum)
    }

    /// Masks or unmasks in place, eight bytes at a time. `key`: the four key bytes, first one lowest; `phase`: payload bytes
    /// that came before these (§5.3).
    public static func unmask(_ bytes: UnsafeMutableBufferPointer<UInt8>, key: UInt32, phase: Int) {
        guard let base = UnsafeMutableRawPointer(bytes.baseAddress) else { return }
        let turn = UInt32(truncatingIfNeeded: phase & 3) &* 8
        let turned = key &>> turn | key &<< ((32 &- turn) & 31)
        let half = turn == 0 ? key : turned
        let word = UInt64(littleEndian: UInt64(half) | UInt64(half) << 32)
        let count = bytes.count
        var offset = 0
        // Four words at a time: the optimiser makes vectors of them in every build mode, of a plain word loop only in some.
        while offset &+ 32 <= count {
            for step in 0..<4 {
                let place = offset &+ step &* 8
                let masked = base.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                base.storeBytes(of: masked ^ word, toByteOffset: place, as: UInt64.self)
            }
            offset &+= 32
        }
        while offset &+ 8 <= count {
            let masked = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            base.storeBytes(of: masked ^ word, toByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        var rest = half
        while offset < count {
            bytes[offset] ^= UInt8(truncatingIfNeeded: rest)
            rest >>= 8
            if offset & 3 == 3 { rest = half }
            offset &+= 1
        }
    }

    /// Appends a whole masked frame, as a client sends it (load generator, tests).
    public static func appendMasked(
        _ opcode: WebSocketOpcode, payload: Span<UInt8>, key: UInt32, to out: inout [UInt8]
    ) {
        appendHeader(opcode, payloadBytes: payload.count, maskBit: 0x80, to: &out)
        for shift: UInt32 in [0, 8, 16, 24] { out.append(UInt8(truncatingIfNeeded: key >> shift)) }
        let start = out.count
        out.append(bytes: payload)
        out.withUnsafeMutableBufferPointer { unmask(.init(rebasing: $0[start...]), key: key, phase: 0) }
    }

    @inline(__always)
    private static func appendHeader(
        _ opcode: WebSocketOpcode, payloadBytes: Int, maskBit: UInt8, to out: inout [UInt8]
    ) {
        out.append(addingCapacity: headerBytesMax) { output in
            output.withUnsafeMutableBufferPointer { target, count in
                guard let target = UnsafeMutableRawPointer(target.baseAddress) else { return }
                writeHeader(opcode, payloadBytes: payloadBytes, maskBit: maskBit, to: target)
                count = headerBytes(payloadBytes: payloadBytes)
            }
        }
    }

    @inline(__always)
    private static func writeHeader(
        _ opcode: WebSocketOpcode, payloadBytes: Int, maskBit: UInt8, to target: UnsafeMutableRawPointer
    ) {
        precondition(payloadBytes >= 0, "a payload cannot have a negative length")
        target.storeBytes(of: 0x80 | opcode.rawValue, as: UInt8.self)
        switch payloadBytes {
        case ..<126:
            target.storeBytes(of: maskBit | UInt8(truncatingIfNeeded: payloadBytes), toByteOffset: 1, as: UInt8.self)
        case ..<0x1_0000:
            target.storeBytes(of: maskBit | 126, toByteOffset: 1, as: UInt8.self)
            let length = UInt16(truncatingIfNeeded: payloadBytes).bigEndian
            target.storeBytes(of: length, toByteOffset: 2, as: UInt16.self)
        default:
            target.storeBytes(of: maskBit | 127, toByteOffset: 1, as: UInt8.self)
            target.storeBytes(of: UInt64(payloadBytes).bigEndian, toByteOffset: 2, as: UInt64.self)
        }
    }
}
