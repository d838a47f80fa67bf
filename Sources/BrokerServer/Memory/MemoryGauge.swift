/// `ProcessMemory` as it was at most a tick ago: reading it is eight system calls, and anybody may ask.
struct MemoryGauge {
    static let ageMilliseconds: UInt64 = 100

    private var last: (memory: ProcessMemory, milliseconds: UInt64)?

    /// - Parameter source: asked when what is known is too old.
    mutating func read(milliseconds now: UInt64, _ source: () -> ProcessMemory = ProcessMemory.read) -> ProcessMemory {
        if let last, now < last.milliseconds + Self.ageMilliseconds { return last.memory }
        let memory = source()
        last = (memory, now)
        return memory
    }
}
