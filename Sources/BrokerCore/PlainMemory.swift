internal import Glibc

/// Memory for plain values of at most 16 bytes' alignment.
///
/// From malloc itself: `UnsafeMutablePointer.allocate` asks for an alignment, and glibc cuts such a block anew each time, where it has blocks
/// of the common sizes at hand.
enum PlainMemory {
    @inline(__always)
    static func allocate<Element: BitwiseCopyable>(capacity: Int) -> UnsafeMutablePointer<Element> {
        assert(MemoryLayout<Element>.alignment <= 16, "malloc aligns to 16 bytes")
        guard let memory = malloc(capacity * MemoryLayout<Element>.stride) else {
            preconditionFailure("the machine has no memory left")
        }
        return memory.bindMemory(to: Element.self, capacity: capacity)
    }

    @inline(__always)
    static func free<Element: BitwiseCopyable>(_ memory: UnsafeMutablePointer<Element>?) { Glibc.free(memory) }
}
