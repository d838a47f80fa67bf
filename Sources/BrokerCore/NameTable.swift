internal import Wire

/// Gives every byte string a small dense number, and finds it again.
///
/// Open addressing with linear probing and deletion by shifting back, so that it needs no tombstones. The hash is seeded,
/// because the names are chosen by peers (hash flooding). Numbers of removed names are used again.
///
/// Owned by one thread, or reached under its owner's lock.
struct NameTable {
    private struct Cell {
        var hash: UInt32
        var id: UInt32
        static let empty = Cell(hash: 0, id: .max)
    }

    /// The name of each number in use; empty for a free number.
    private(set) var names: [[UInt8]] = []
    private var cells: [Cell] = []
    private var mask = 0
    private var freeIDs: [UInt32] = []
    /// The last number in use when `releaseUnused` looked for it. While it is, and lies late, nothing can go.
    private var late = 0
    private let seed: UInt64
    private(set) var count = 0

    init(seed: UInt64) { self.seed = seed }

    /// The number of `name`, if it is here.
    func find(_ name: Span<UInt8>) -> UInt32? { find(name, hash: NameHash.hash64(name, seed: seed)) }

    /// The same when the name was hashed before, with this table's seed.
    func find(_ name: Span<UInt8>, hash full: UInt64) -> UInt32? {
        guard count > 0 else { return nil }
        let hash = UInt32(truncatingIfNeeded: full)
        var index = Int(hash) & mask
        while true {
            let cell = cells[index]
            if cell.id == .max { return nil }
            if cell.hash == hash {
                let stored = names[Int(cell.id)]
                if stored.span.equals(name) { return cell.id }
            }
            index = (index + 1) & mask
        }
    }

    /// Adds a name that is not here yet and returns its number; the array is kept, not copied.
    mutating func insert(_ name: [UInt8]) -> UInt32 {
        if (count + 1) * 4 > cells.count * 3 { rehash(size: max(8, cells.count * 2)) }
        let id: UInt32
        if let reused = freeIDs.popLast() {
            id = reused
            names[Int(id)] = name
        } else {
            id = UInt32(names.count)
            names.append(name)
        }
        place(Cell(hash: NameHash.hash32(name.span, seed: seed), id: id))
        count += 1
        return id
    }

    mutating func remove(_ id: UInt32) {
        let name = names[Int(id)]
        var index = Int(NameHash.hash32(name.span, seed: seed)) & mask
        while cells[index].id != id { index = (index + 1) & mask }
        // Shift back every later cell of the run that would still be found from its home.
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
        names[Int(id)] = []
        freeIDs.append(id)
        count -= 1
        if count == 0 {
            cells = []
            mask = 0
        }
    }

    /// Gives back the numbers behind the last one in use, when at most a quarter of more than `kept` numbers is in use. Costs one look
    /// while a late number stays in use, and the copy is paid for by the removals that went before.
    ///
    /// The owner cuts what it keeps by number to `names.count`. For tables without an empty name.
    /// - Returns: true when numbers went.
    mutating func releaseUnused(kept: Int) -> Bool {
        guard names.count > kept, count * 4 <= names.count else { return false }
        if late < names.count, !names[late].isEmpty, (late + 1) * 2 > names.count { return false }
        var needed = names.count
        while needed > 0, names[needed - 1].isEmpty { needed -= 1 }
        late = max(0, needed - 1)
        guard max(needed, kept) * 2 <= names.count else { return false }
        names = Array(names[..<needed])
        freeIDs = freeIDs.filter { $0 < needed }
        guard count > 0 else { return true }
        var size = 8
        while (count + 1) * 4 > size * 3 { size *= 2 }
        if size < cells.count { rehash(size: size) }
        return true
    }

    private mutating func rehash(size: Int) {
        let old = cells
        cells = Array(repeating: .empty, count: size)
        mask = cells.count - 1
        for cell in old where cell.id != .max { place(cell) }
    }

    private mutating func place(_ cell: Cell) {
        var index = Int(cell.hash) & mask
        while cells[index].id != .max { index = (index + 1) & mask }
        cells[index] = cell
    }
}

/// A seeded hash of bytes, eight at a time.
enum NameHash {
    static func hash64(_ bytes: Span<UInt8>, seed: UInt64) -> UInt64 {
        var state = seed ^ (UInt64(truncatingIfNeeded: bytes.count) &* 0x9E37_79B9_7F4A_7C15)
        let raw = bytes.bytes
        var offset = 0
        while offset + 8 <= raw.byteCount {
            state = mix(state ^ raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < raw.byteCount {
            tail = tail << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return mix(state ^ tail)
    }

    static func hash32(_ bytes: Span<UInt8>, seed: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: hash64(bytes, seed: seed))
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.low ^ product.high
    }
}
