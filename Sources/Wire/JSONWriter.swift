extension [UInt8] {
    /// Appends what `write` writes, at most `bytesMax` bytes; the array is looked at once, not for every piece.
    @inline(__always)
    public mutating func append(bytesMax: Int, _ write: (inout JSONWriter) -> Void) {
        append(addingCapacity: bytesMax) { output in
            output.withUnsafeMutableBufferPointer { target, count in
                var pen = JSONWriter(target)
                write(&pen)
                count = pen.count
            }
        }
    }
}

/// Writes JSON text into memory that was made large enough before: the inner loops of `JSON.appendEscaped` and its like.
/// Every write is checked against the capacity, so that a wrong estimate is a crash and not a corruption.
public struct JSONWriter {
    private let target: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(_ target: UnsafeMutableBufferPointer<UInt8>) { self.target = target }

    /// Copies text, escaping `"`, `\` and control characters.
    mutating func writeEscaped(_ source: UnsafeBufferPointer<UInt8>) {
        var offset = 0
        while offset < source.count {
            offset &+= copyPlain(source, from: offset)
            guard offset < source.count else { return }
            let byte = source[offset]
            offset &+= 1
            if byte == Byte.quote || byte == Byte.backslash || byte < 0x20 { writeEscape(byte) } else { write(byte) }
        }
    }

    /// Copies the inside of a validated literal, decoding its escapes. Not of one with a lone surrogate.
    mutating func write(decoding text: Span<UInt8>) {
        text.withUnsafeBufferPointer { source in
            var offset = 0
            while offset < source.count {
                offset &+= copyPlain(source, from: offset)
                guard offset < source.count else { return }
                guard source[offset] == Byte.backslash else {
                    write(source[offset])
                    offset &+= 1
                    continue
                }
                let escape = JSON.decodeEscape(source.span, at: offset)
                for index in 0..<escape.count {
                    write(UInt8(truncatingIfNeeded: escape.utf8 >> (8 &* UInt32(index))))
                }
                offset &+= escape.source
            }
        }
    }

    /// Copies a validated value without the white space outside its strings; `escaping`: as the inside of a literal.
    mutating func writeCompact(_ source: UnsafeBufferPointer<UInt8>, escaping: Bool) {
        var offset = 0
        var isInString = false
        while offset < source.count {
            if isInString {
                offset &+= copyPlain(source, from: offset)
                guard offset < source.count else { return }
            }
            let byte = source[offset]
            offset &+= 1
            if byte == Byte.quote {
                isInString.toggle()
                if escaping { write(Byte.backslash) }
                write(byte)
            } else if byte == Byte.backslash {
                if escaping { write(Byte.backslash) }
                write(byte)
                // The escape's second byte goes with it, so that `\"` does not end the string.
                guard offset < source.count else { return }
                let next = source[offset]
                offset &+= 1
                if escaping, next == Byte.quote || next == Byte.backslash { write(Byte.backslash) }
                write(next)
            } else if isInString || byte > Byte.space {
                write(byte)
            }
        }
    }

    /// Copies from `start` up to the next byte that needs escaping, but gives up within the last seven bytes.
    /// - Returns: how many bytes were copied.
    @inline(__always)
    private mutating func copyPlain(_ source: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        guard let from = UnsafeRawPointer(source.baseAddress), let to = UnsafeMutableRawPointer(target.baseAddress)
        else {
            return 0
        }
        var offset = start
        while offset &+ 8 <= source.count, count &+ 8 <= target.count {
            let word = from.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            to.storeBytes(of: word, toByteOffset: count, as: UInt64.self)
            let marks = Self.escapable(UInt64(littleEndian: word))
            let plain = marks == 0 ? 8 : Word.bytesBefore(marks)
            count &+= plain
            offset &+= plain
            if plain < 8 { break }
        }
        return offset &- start
    }

    /// Escaping makes of one byte at most so many: a control character becomes `\u00xx`.
    public static let growth = 6

    /// Copies text, escaping what a literal cannot hold.
    public mutating func write(escaping text: Span<UInt8>) {
        text.withUnsafeBufferPointer { writeEscaped($0) }
    }

    /// Copies bytes as they are.
    public mutating func write(bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { copy($0.baseAddress, $0.count) }
    }

    /// Copies the UTF-8 of a literal.
    public mutating func write(text: StaticString) {
        copy(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// No integer has more digits and signs.
    public static let integerBytesMax = 20

    /// Writes an integer in decimal digits.
    public mutating func write(integer: Int) {
        if integer < 0 { write(Byte.minus) }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        var rest = integer.magnitude
        repeat {
            first -= 1
            digits[first] = Byte.zero + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        write(bytes: digits.span.extracting(first...))
    }

    @inline(__always)
    private mutating func copy(_ source: UnsafeRawPointer?, _ bytes: Int) {
        guard let source, let to = UnsafeMutableRawPointer(target.baseAddress) else { return }
        precondition(bytes <= target.count - count, "the text is longer than was computed")
        (to + count).copyMemory(from: source, byteCount: bytes)
        count &+= bytes
    }

    @inline(__always)
    private mutating func write(_ byte: UInt8) {
        precondition(count < target.count, "the text is longer than was computed")
        target[count] = byte
        count &+= 1
    }

    /// The escapes `JSON.stringify` writes: the short ones where they exist, else `\u00xx`.
    private mutating func writeEscape(_ byte: UInt8) {
        write(Byte.backslash)
        switch byte {
        case 0x08: write(0x62)
        case 0x09: write(0x74)
        case 0x0A: write(0x6E)
        case 0x0C: write(0x66)
        case 0x0D: write(0x72)
        case 0..<0x20:
            write(0x75)
            write(Byte.zero)
            write(Byte.zero)
            write(Hex.lowercaseDigit(byte >> 4))
            write(Hex.lowercaseDigit(byte & 0xF))
        default: write(byte)
        }
    }

    /// The bytes of a word that a literal cannot hold: `"`, `\`, below 0x20. Only the lowest is exact.
    @inline(__always)
    static func escapable(_ word: UInt64) -> UInt64 {
        Word.lowest(word, equal: Byte.quote) | Word.lowest(word, equal: Byte.backslash) | Word.lowest(word, below: 0x20)
    }
}
