internal import CLinux
internal import Glibc

/// Where a backlog's bytes lie: a small one in the heap, a larger one in pages of its own.
///
/// Ten thousand buffers that grow from one size to the next leave holes in a heap, which then holds three times what is in use (measured: 330
/// MiB in seven of malloc's arenas for 112 MiB of backlogs); pages that are moved to grow leave none (113 MiB), and the budget of the
/// process stays a bound on its memory.
enum BacklogMemory {
    /// Above this it has pages of its own.
    static let heapBytesMax = 4_096
    private static let pageBytes = 4_096

    /// The capacity that a wish for so many bytes gets.
    static func rounded(_ bytes: Int) -> Int {
        bytes <= heapBytesMax ? bytes : (bytes + pageBytes - 1) / pageBytes * pageBytes
    }

    /// Makes a buffer (`memory` nil), or changes its capacity; both capacities are rounded ones. The first `used` bytes stay.
    /// - Returns: nil when the machine has no memory; then the old buffer stays.
    static func resized(
        _ memory: UnsafeMutablePointer<UInt8>?, from old: Int, to new: Int, used: Int
    ) -> UnsafeMutablePointer<UInt8>? {
        let (wasHeap, isHeap) = (old <= heapBytesMax, new <= heapBytesMax)
        if wasHeap && isHeap { return realloc(memory, new)?.assumingMemoryBound(to: UInt8.self) }
        if !wasHeap && !isHeap { return clinux_remap(memory, old, new)?.assumingMemoryBound(to: UInt8.self) }
        let fresh = (isHeap ? malloc(new) : clinux_map(new))?.assumingMemoryBound(to: UInt8.self)
        guard let fresh, let memory else { return fresh }
        fresh.update(from: memory, count: used)
        free(memory, capacity: old)
        return fresh
    }

    static func free(_ memory: UnsafeMutablePointer<UInt8>?, capacity: Int) {
        if capacity <= heapBytesMax { Glibc.free(memory) } else { clinux_unmap(memory, capacity) }
    }
}
