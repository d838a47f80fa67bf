/// How often something took how long, in classes that double: up to 65 µs, 131 µs … 8.6 s, and more. Plain numbers of one thread.
///
/// A power of two in nanoseconds each, so that the class is a count of leading zeros; and the first class is one compare, because most of
/// what is measured is in it.
public struct DurationHistogram: Sendable {
    /// The last has no upper bound.
    public static let classCount = 19
    /// Bits of the first class's upper bound.
    private static let firstBits = 16

    /// Of the first class, in a field of its own: to change one element of an inline array copies all of it.
    @usableFromInline var shortCount: UInt64 = 0
    private var counts = InlineArray<19, UInt64>(repeating: 0)
    @usableFromInline var total: UInt64 = 0
    public var nanosecondsTotal: UInt64 { total }

    public init() {}

    /// The longest duration of a class; nil: the last has none.
    public static func boundNanoseconds(of place: Int) -> UInt64? {
        place < classCount - 1 ? 1 << UInt64(firstBits + place) : nil
    }

    /// Counts one thing that took so long.
    @inlinable public mutating func add(nanoseconds: UInt64) {
        guard nanoseconds <= 65_536 else { return add(nanoseconds: nanoseconds, count: 1) }
        total &+= nanoseconds
        shortCount &+= 1
    }

    /// Counts `count` things that took so long each.
    @inline(never)
    public mutating func add(nanoseconds: UInt64, count: UInt64) {
        total &+= nanoseconds &* count
        let place = Self.place(of: nanoseconds)
        if place == 0 { shortCount &+= count } else { counts[place] &+= count }
    }

    private static func place(of nanoseconds: UInt64) -> Int {
        guard nanoseconds > 1 << UInt64(firstBits) else { return 0 }
        return min(classCount - 1, 64 - ((nanoseconds - 1) >> UInt64(firstBits)).leadingZeroBitCount)
    }

    /// Things of one class.
    public subscript(place: Int) -> UInt64 { place == 0 ? shortCount : counts[place] }

    public var count: UInt64 {
        var sum = shortCount
        for place in 1..<Self.classCount { sum &+= counts[place] }
        return sum
    }

    /// Adds what another thread counted.
    public mutating func add(_ other: DurationHistogram) {
        total &+= other.total
        shortCount &+= other.shortCount
        for place in 0..<Self.classCount { counts[place] &+= other.counts[place] }
    }
}
