/// A generator that gives the same numbers for the same seed on every machine, so that a failure prints how to repeat it.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The generator for `seed`; neighbouring seeds are unrelated (SplitMix64).
    public init(seed: some BinaryInteger) { state = UInt64(truncatingIfNeeded: seed) }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// A number in the range.
    public mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// True once in `n` times.
    public mutating func oneIn(_ n: Int) -> Bool { int(1...n) == 1 }

    /// One of the choices, which must not be empty.
    public mutating func pick<T>(_ choices: [T]) -> T { choices[int(0...choices.count - 1)] }

    /// Random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// Random text of `count` characters: mostly ASCII, with characters of two to four bytes, quotes and controls.
    public mutating func text(_ count: Int) -> [UInt8] {
        var out: [UInt8] = []
        for _ in 0..<count {
            let scalar: UInt32 =
                switch int(0...9) {
                case 0: UInt32(int(0...0x1F))
                case 1: pick([0x22, 0x5C, 0x2F, 0x7F])
                case 2: UInt32(int(0x80...0x7FF))
                case 3: UInt32(int(0x800...0xD7FF))
                case 4: UInt32(int(0x1_0000...0x10_FFFF))
                default: UInt32(int(0x20...0x7E))
                }
            Unicode.Scalar(scalar).map { out.append(contentsOf: String($0).utf8) }
        }
        return out
    }

    /// Cuts the bytes into pieces of 1…`most` bytes.
    public mutating func pieces(of bytes: [UInt8], most: Int) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let count = min(int(1...most), bytes.count - start)
            pieces.append(Array(bytes[start..<start + count]))
            start += count
        }
        return pieces
    }
}
