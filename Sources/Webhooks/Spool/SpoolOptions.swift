/// How a spool keeps what it gets.
public struct SpoolOptions: Sendable, Equatable {
    /// When what was written is forced to the disk.
    public enum Sync: Sendable {
        /// Within 100 ms: it may be sent before. `kill -9` takes nothing, the power takes what came since.
        case batch
        /// Before it may be sent.
        case each
    }

    public var sync = Sync.batch
    /// What the files may take; when they would take more, the oldest goes with the events in it. 1 MiB or more.
    public var bytesMax = 268_435_456
    /// What waits is kept in memory too, so that it can be written again; what would be more than this is not written.
    public var memoryBytesMax = 134_217_728
    /// What may be on its way to the thread that writes; what would be more is not written.
    public var inboxBytesMax = 33_554_432

    public init() {}

    /// A file is closed when it has so much.
    var segmentBytes: Int { segmentBytesWanted ?? min(max(bytesMax / 32, 32_768), 8_388_608) }
    /// For tests.
    var segmentBytesWanted: Int?
    /// What dead letters may take, and how many there may be; the oldest is forgotten for one that comes.
    var letterBytesMax: Int { min(16_777_216, bytesMax / 4) }
    static let lettersMax = 10_000
    /// From the first write to the disk's answer, with `batch`.
    static let syncNanoseconds: UInt64 = 80_000_000
    /// Between two tries while the disk takes nothing.
    static let retryNanoseconds: UInt64 = 1_000_000_000
}
