/// One connection touched in this turn: its newest run, and the older ones if its frames had gaps.
struct DirtyEntry {
    var slot: UInt32
    /// The newest run, first..<end.
    var first: UInt32
    var end: UInt32
    /// The youngest of the older runs; the list is circular, so its `next` is the oldest. `Outbox.none` without gaps.
    var tail: UInt32
}

/// An older run of one connection.
struct FrameRun {
    var first: UInt32
    var end: UInt32
    var next: UInt32
}
