internal import Glibc

/// The shards of all apps that hold something, each behind a short lock.
///
/// An app has 64 numbers of shards, and none of them costs anything until a record is put in and after the last has gone and a loop
/// has swept: a shard is made and freed under the lock of its stripe. Safe from any thread.
///
/// Rule of the house: no two stripes are locked together, and no system call is made with one locked.
final class ShardDirectory: @unchecked Sendable {
    // SAFETY: the stripes are made in `init` and freed in `deinit`; all else in one is reached with its mutex held.
    fileprivate let stripes: UnsafeMutablePointer<Stripe>
    let hashing: NameHashing
    /// 64 KiB. The shards of one app are in different stripes.
    fileprivate static let stripeCount = 1_024

    init(hashing: NameHashing) {
        self.hashing = hashing
        stripes = .allocate(capacity: Self.stripeCount)
        for index in 0..<Self.stripeCount { (stripes + index).initialize(to: Stripe()) }
        for index in 0..<Self.stripeCount {
            let status = pthread_mutex_init(&stripes[index].mutex, nil)
            precondition(status == 0, "pthread_mutex_init fails only without memory")
        }
    }

    deinit {
        for index in 0..<Self.stripeCount {
            stripes[index].free()
            pthread_mutex_destroy(&stripes[index].mutex)
        }
        stripes.deallocate()
    }

    func shard(_ number: Int, app: Int) -> ShardDoor {
        ShardDoor(
            stripe: stripes + (number + app &* 61) & (Self.stripeCount - 1), key: UInt32(app << 6 | number),
            hashing: hashing)
    }

    /// Shards in memory, for tests and figures.
    var shardCount: Int {
        (0..<Self.stripeCount).reduce(0) { sum, index in
            pthread_mutex_lock(&stripes[index].mutex)
            defer { pthread_mutex_unlock(&stripes[index].mutex) }
            return sum + Int(stripes[index].count)
        }
    }
}

/// The way to one shard of one app.
struct ShardDoor {
    fileprivate let stripe: UnsafeMutablePointer<Stripe>
    /// The app's number and the shard's.
    fileprivate let key: UInt32
    fileprivate unowned(unsafe) let hashing: NameHashing

    var number: Int { Int(key) & (ChannelRegistry.shardCount - 1) }

    /// A shard that is not there is empty; one that is empty afterwards is gone.
    /// - Parameter absent: what `body` would say of an empty shard, if it only looks: then none is made for it.
    @inline(__always)
    func withLock<Result>(absent: Result? = nil, _ body: (inout ChannelShard) -> Result) -> Result {
        pthread_mutex_lock(&stripe.pointee.mutex)
        defer { pthread_mutex_unlock(&stripe.pointee.mutex) }
        guard let shard = stripe.pointee.find(key) else {
            if let absent { return absent }
            return withNewShard(body)
        }
        defer { if shard.pointee.isUnused { stripe.pointee.remove(key) } }
        return body(&shard.pointee)
    }

    @inline(never)
    private func withNewShard<Result>(_ body: (inout ChannelShard) -> Result) -> Result {
        var shard = ChannelShard(hashing: hashing)
        let result = body(&shard)
        if !shard.isUnused { stripe.pointee.insert(key, shard) }
        return result
    }
}

/// One lock and the shards behind it: open addressing by key, deletion by shifting back. The keys are ours, so they need no secret.
private struct Stripe {
    struct Cell {
        var key: UInt32
        var shard: UnsafeMutablePointer<ChannelShard>?
    }

    var mutex = pthread_mutex_t()
    private var cells: UnsafeMutablePointer<Cell>?
    private var mask: Int32 = -1
    private(set) var count: Int32 = 0

    @inline(__always)
    func find(_ key: UInt32) -> UnsafeMutablePointer<ChannelShard>? {
        guard let cells else { return nil }
        var index = home(key)
        while let shard = cells[index].shard {
            if cells[index].key == key { return shard }
            index = (index + 1) & Int(mask)
        }
        return nil
    }

    mutating func insert(_ key: UInt32, _ shard: consuming ChannelShard) {
        if (count + 1) * 2 > mask + 1 { resize(to: max(2, (mask + 1) * 2)) }
        let box = UnsafeMutablePointer<ChannelShard>.allocate(capacity: 1)
        box.initialize(to: shard)
        place(Cell(key: key, shard: box))
        count += 1
    }

    mutating func remove(_ key: UInt32) {
        guard let cells, let shard = find(key) else { return }
        shard.deinitialize(count: 1)
        shard.deallocate()
        count -= 1
        if count == 0 { return free() }
        let mask = Int(mask)
        var hole = home(key)
        while cells[hole].key != key || cells[hole].shard != shard { hole = (hole + 1) & mask }
        var next = (hole + 1) & mask
        while cells[next].shard != nil {
            if ((next &- home(cells[next].key)) & mask) >= ((next &- hole) & mask) {
                cells[hole] = cells[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        cells[hole].shard = nil
        if count * 8 <= self.mask + 1 { resize(to: (self.mask + 1) / 2) }
    }

    /// Frees the cells and every shard in them.
    mutating func free() {
        guard let cells else { return }
        if count > 0 {
            for index in 0...Int(mask) {
                guard let shard = cells[index].shard else { continue }
                shard.deinitialize(count: 1)
                shard.deallocate()
            }
        }
        cells.deallocate()
        (self.cells, mask, count) = (nil, -1, 0)
    }

    /// Apps are numbered one after the other.
    @inline(__always)
    private func home(_ key: UInt32) -> Int { Int((key &* 0x9E37_79B1) >> 12) & Int(mask) }

    private mutating func place(_ cell: Cell) {
        guard let cells else { preconditionFailure("resize allocates") }
        var index = home(cell.key)
        while cells[index].shard != nil { index = (index + 1) & Int(mask) }
        cells[index] = cell
    }

    private mutating func resize(to size: Int32) {
        let (old, oldSize) = (cells, Int(mask) + 1)
        let fresh = UnsafeMutablePointer<Cell>.allocate(capacity: Int(size))
        fresh.initialize(repeating: Cell(key: 0, shard: nil), count: Int(size))
        (cells, mask) = (fresh, size - 1)
        guard let old else { return }
        for index in 0..<oldSize where old[index].shard != nil { place(old[index]) }
        old.deallocate()
    }
}
