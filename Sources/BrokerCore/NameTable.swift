internal import Wire

/// Gives every byte string a small dense number, and finds it again.
///
/// Open addressing with linear probing and deletion by shifting back, so that it needs no tombstones. The hash has a secret key,
/// because the names are chosen by peers (hash flooding), and no search looks at more than `probesMax` cells.
/// Numbers of removed names are used again.
///
/// Owned by one thread, or reached under its owner's lock.
struct NameTable: ~Copyable {
    private struct Cell {
        var hash: UInt32
        var id: UInt32
        static let empty = Cell(hash: 0, id: .max)
    }

    /// How far from its home a name may be; by chance one insertion in a hundred million would have to go farther in a table
    /// that is three quarters full. The table grows instead, unless it is all but empty already.
    static let probesMax = 512
    /// Cells a name may cost before the table stops growing for the sake of `probesMax`.
    private static let cellsPerNameMax = 16

    /// The name of each number in use; empty for a free number.
    private(set) var names = PagedList<[UInt8]>()
    private var cells: [Cell] = []
    private var mask = 0
    /// No name is farther from its home.
    private var longestProbe = 0
    /// Pages with a free number, each once; the last is used next.
    private var openPages: [UInt32] = []
    private(set) var count = 0
    private let hashing: NameHashing
    /// What one number's place here and its owner's record hold while they are in memory, besides the name's bytes; an estimate for
    /// `TableStatistics`.
    private let bytesPerName: Int

    init(hashing: NameHashing, bytesPerName: Int = 64) {
        self.hashing = hashing
        self.bytesPerName = bytesPerName
    }

    deinit {
        hashing.hold(bytes: -(bytesPerName * names.capacity + namesBytes))
    }

    /// Bytes of all names; walks them.
    var namesBytes: Int {
        var bytes = 0
        for id in names.indices { bytes += names[id].count }
        return bytes
    }

    func hash(of name: Span<UInt8>) -> UInt64 { hashing.hash(of: name) }

    /// The number of `name`, if it is here.
    func find(_ name: Span<UInt8>) -> UInt32? { count > 0 ? find(name, hash: hash(of: name)) : nil }

    /// The same when the name was hashed before, by the same `NameHashing`.
    func find(_ name: Span<UInt8>, hash full: UInt64) -> UInt32? {
        guard count > 0 else { return nil }
        let hash = UInt32(truncatingIfNeeded: full)
        var index = Int(hash) & mask
        var left = longestProbe
        while left >= 0 {
            let cell = cells[index]
            if cell.id == .max { return nil }
            if cell.hash == hash {
                let stored = names[Int(cell.id)]
                if stored.span.equals(name) { return cell.id }
            }
            index = (index + 1) & mask
            left -= 1
        }
        return nil
    }

    /// Cells a search for a name that is not here looks at, for tests and figures.
    func cellsLookedAt(for hash: UInt64) -> Int {
        guard count > 0 else { return 0 }
        let home = Int(UInt32(truncatingIfNeeded: hash)) & mask
        return (0...longestProbe).first { cells[(home + $0) & mask].id == .max }.map { $0 + 1 } ?? longestProbe + 1
    }

    /// Adds a name that is not here yet and returns its number; the array is kept, not copied.
    mutating func insert(_ name: [UInt8]) -> UInt32 { insert(name, hash: hash(of: name.span)) }

    mutating func insert(_ name: consuming [UInt8], hash: UInt64) -> UInt32 {
        if (count + 1) * 4 > cells.count * 3 { rehash(size: max(8, cells.count * 2)) }
        let (places, bytes) = (names.capacity, name.count)
        let id = takeNumber()
        names[id] = name
        count += 1
        place(Cell(hash: UInt32(truncatingIfNeeded: hash), id: UInt32(id)))
        while longestProbe >= Self.probesMax, cells.count < count * Self.cellsPerNameMax {
            hashing.noticeOverlong()
            rehash(size: cells.count * 2)
        }
        hashing.notice(probe: longestProbe, holding: bytesPerName * (names.capacity - places) + bytes)
        return UInt32(id)
    }

    mutating func remove(_ id: UInt32) {
        let name = names[Int(id)]
        remove(id, hash: hash(of: name.span))
    }

    mutating func remove(_ id: UInt32, hash: UInt64) {
        var index = Int(UInt32(truncatingIfNeeded: hash)) & mask
        while cells[index].id != id {
            precondition(cells[index].id != .max, "the hash is that of the number's name")
            index = (index + 1) & mask
        }
        closeHole(at: index)
        hashing.hold(bytes: -names[Int(id)].count)
        names[Int(id)] = []
        count -= 1
        release(Int(id))
        if count == 0 { longestProbe = 0 }
    }

    /// Shifts back every later cell of the run that would still be found from its home.
    private mutating func closeHole(at index: Int) {
        var hole = index
        var next = (hole + 1) & mask
        while cells[next].id != .max {
            let home = Int(cells[next].hash) & mask
            if ((next &- home) & mask) >= ((next &- hole) & mask) {
                cells[hole] = cells[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        cells[hole] = .empty
    }

    /// Whether `releaseUnused` has something to do.
    ///
    /// An emptied table keeps what it has until then: the one subscriber of a channel may leave and come back often.
    var hasUnused: Bool { names.emptyPages > 0 || count * 8 <= cells.count && cells.count > 64 }

    /// Gives back the pages whose numbers are all free, and the cells when most are empty; all of an empty table. Bounded by the
    /// removals that went before.
    mutating func releaseUnused() {
        if names.emptyPages > 0 {
            let places = names.capacity
            names.releasePages()
            hashing.hold(bytes: bytesPerName * (names.capacity - places))
            openPages = openPages.filter { $0 < names.pageCount }
        }
        if count == 0 {
            (cells, openPages, mask) = ([], [], 0)
            return
        }
        guard count * 8 <= cells.count, cells.count > 64 else { return }
        var size = 8
        while (count + 1) * 4 > size * 2 { size *= 2 }
        if size < cells.count { rehash(size: size) }
    }

    // MARK: Numbers

    private mutating func takeNumber() -> Int {
        if openPages.isEmpty { openPages.append(UInt32(names.pageCount)) }
        let page = Int(openPages[openPages.count - 1])
        let number = page < names.pageCount ? names.freeNumber(in: page) : page * PagedList<[UInt8]>.pageSize
        guard let number else { preconditionFailure("an open page has a free number") }
        names.take(number)
        if names.freeNumber(in: page) == nil { openPages.removeLast() }
        return number
    }

    private mutating func release(_ number: Int) {
        let page = number / PagedList<[UInt8]>.pageSize
        if names.freeNumber(in: page) == nil { openPages.append(UInt32(page)) }
        names.free(number)
    }

    // MARK: Cells

    private mutating func rehash(size: Int) {
        let old = cells
        cells = Array(repeating: .empty, count: size)
        (mask, longestProbe) = (size - 1, 0)
        for cell in old where cell.id != .max { place(cell) }
    }

    private mutating func place(_ cell: Cell) {
        let home = Int(cell.hash) & mask
        var index = home
        while cells[index].id != .max { index = (index + 1) & mask }
        cells[index] = cell
        longestProbe = max(longestProbe, (index &- home) & mask)
    }
}
