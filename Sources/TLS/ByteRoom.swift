internal import Glibc

/// Bytes that wait, first in, first out. Holds memory only as long as there are some, unless it is told to keep it.
struct ByteRoom {
    private var base: UnsafeMutableRawPointer?
    private var start: UInt32 = 0
    private var end: UInt32 = 0
    private var capacity: UInt32 = 0

    var count: Int { Int(end - start) }
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + Int(start)) }, count: count)
    }

    /// - Parameter slack: doubled when it grows, for one that is filled again and again; else exactly what is needed.
    mutating func append(_ more: UnsafeRawBufferPointer, slack: Bool) {
        guard let from = more.baseAddress, more.count > 0 else { return }
        if Int(end) + more.count > Int(capacity) { grow(by: more.count, slack: slack) }
        guard let base else { preconditionFailure("there is room now") }
        (base + Int(end)).copyMemory(from: from, byteCount: more.count)
        end += UInt32(more.count)
    }

    private mutating func grow(by more: Int, slack: Bool) {
        if let base, start > 0 {
            memmove(base, base + Int(start), count)
            (start, end) = (0, end - start)
        }
        let needed = Int(end) + more
        guard needed > Int(capacity) else { return }
        let wanted = slack ? max(needed, Int(capacity) * 2, 16_384) : needed
        guard let grown = realloc(base, wanted) else {
            preconditionFailure("out of memory for \(wanted) bytes of TLS records")
        }
        (base, capacity) = (grown, UInt32(wanted))
    }

    /// Takes bytes out of it.
    /// - Returns: how many.
    mutating func take(into target: UnsafeMutableRawPointer, max: Int) -> Int {
        let taken = min(count, max)
        guard taken > 0, let base else { return 0 }
        target.copyMemory(from: base + Int(start), byteCount: taken)
        drop(taken)
        return taken
    }

    /// Forgets the first bytes.
    mutating func drop(_ count: Int) {
        precondition(count <= self.count, "bytes were dropped that are not there")
        start += UInt32(count)
        if start == end { (start, end) = (0, 0) }
    }

    /// Gives the memory back.
    mutating func free() {
        Glibc.free(base)
        self = ByteRoom()
    }
}
