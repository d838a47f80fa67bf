internal import Reactor
internal import Synchronization

/// The addresses of all loops' connections, so that limits of an address are exact for the process. Safe from any thread; who is not asked,
/// because no limit is set, costs nothing.
///
/// Divided by address, so that loops seldom meet. The lock is held for one step of the table.
final class AddressBook: Sendable {
    private final class Shard: Sendable {
        let table: Mutex<AddressTable>
        init(entriesMax: Int) { table = Mutex(AddressTable(entriesMax: entriesMax)) }
    }

    /// Of all shards together: about 20 MiB.
    static let entriesMax = 262_144
    private let shards: [Shard]

    init(entriesMax: Int = AddressBook.entriesMax, shards count: Int = 16) {
        shards = (0..<count).map { _ in Shard(entriesMax: entriesMax / count) }
    }

    /// One step of the table that an address is in.
    func with<Result: Sendable>(_ block: AddressBlock, _ step: (inout AddressTable) -> Result) -> Result {
        // Seeded anew in each process, so that nobody can choose addresses of one shard.
        shards[Int(UInt(bitPattern: block.hashValue) % UInt(shards.count))].table.withLock { step(&$0) }
    }

    /// Addresses that are known now, and connections that came while there was no room to count them.
    var facts: (known: Int, uncounted: UInt64) {
        var facts = (known: 0, uncounted: UInt64(0))
        for shard in shards {
            let (known, uncounted) = shard.table.withLock { ($0.entries.count, $0.uncounted) }
            facts.known += known
            facts.uncounted &+= uncounted
        }
        return facts
    }
}
