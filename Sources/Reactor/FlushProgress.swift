/// Which entries of the arena are flushed already.
///
/// ```
/// 0 ── flushed ──▶ bulk.lowerBound ── the bulk waits ──▶ bulk.upperBound ── flushed ──▶ freshStart ── fresh ──▶ entryCount
/// ```
/// A turn's entries become the bulk when there is none, and go out in slices, one a turn. What is queued meanwhile is fresh and goes out whole
/// before the next slice, so that an answer does not wait for a fan-out. Nothing overtakes anything on one connection: as long as its entry
/// waits in the bulk, later frames extend that entry.
struct FlushProgress: Equatable {
    private(set) var bulk = 0..<0
    private(set) var freshStart = 0
    /// The bulk is of this turn.
    private(set) var isNew = false
    /// What is being flushed is of an earlier turn.
    private(set) var isLate = false

    /// Whether entries of an earlier turn wait.
    var isUnfinished: Bool { !bulk.isEmpty }

    /// Takes what was queued since the last slice. Empty when it has become the bulk.
    mutating func takeFresh(entryCount: Int) -> Range<Int> {
        let fresh = freshStart..<entryCount
        freshStart = entryCount
        (isNew, isLate) = (bulk.isEmpty, false)
        guard isNew else { return fresh }
        bulk = fresh
        return entryCount..<entryCount
    }

    /// The next entries of the bulk, which are about to be flushed: those of the returned range, or of its beginning.
    mutating func beginSlice(entriesMax: Int) -> Range<Int> {
        isLate = !isNew
        return bulk.prefix(entriesMax)
    }

    /// The bulk has been flushed up to an entry.
    mutating func advance(to entry: Int) {
        assert(bulk.lowerBound <= entry && entry <= bulk.upperBound, "the bulk is flushed in order")
        bulk = entry..<bulk.upperBound
    }
}
