internal import Glibc
internal import Synchronization

/// Keeps the context in force, and puts another in its place when the files have changed: handshakes that begin then show the new
/// certificates, and nobody is dropped. Safe from any thread.
///
///     files ──reload──▶ all good? ──▶ newest context, number + 1 ──one load a handshake──▶ TLSRoom.accept
///                          └─ no ──▶ the old one stays, and the problem is told
public final class TLSKeeper: Sendable {
    fileprivate struct State: Sendable {
        var context: TLSContext
        var files: [TLSFiles]
        /// Of all files, as they were before they were last read.
        var stamps: [FileStamp?]
    }

    private let state: Mutex<State>
    private let newestNumber = Atomic<Int>(0)
    private let tickets = TicketKeys()

    /// Reads the certificates. Blocks.
    public init(_ files: [TLSFiles]) throws(TLSProblem) {
        let stamps = Self.stamps(of: files)
        let context = try TLSContext(files, tickets: tickets)
        state = Mutex(State(context: context, files: files, stamps: stamps))
    }

    /// The context that handshakes begin with from now on, and its number.
    var newest: (context: TLSContext, number: Int) {
        state.withLock { ($0.context, newestNumber.load(ordering: .relaxed)) }
    }

    public var context: TLSContext { state.withLock { $0.context } }

    /// Changes with each new context. A load.
    public var number: Int { newestNumber.load(ordering: .acquiring) }

    /// Certificates that were read and are right.
    public struct Prepared: Sendable {
        fileprivate let state: State
    }

    /// Reads the certificates again, or others. Blocks: not on a loop's thread, and on one thread at a time.
    /// - Throws: what is wrong with them; then nothing has changed.
    public func reload(_ files: [TLSFiles]? = nil) throws(TLSProblem) { install(try prepare(files)) }

    /// As `reload`, but for `install`.
    public func prepare(_ files: [TLSFiles]? = nil) throws(TLSProblem) -> Prepared {
        let files = files ?? state.withLock { $0.files }
        let stamps = Self.stamps(of: files)
        // So that a fault is told once, and not each time that somebody looks.
        state.withLock { if $0.files == files { $0.stamps = stamps } }
        return Prepared(state: State(context: try TLSContext(files, tickets: tickets), files: files, stamps: stamps))
    }

    /// Handshakes that begin from now on show these.
    public func install(_ prepared: Prepared) {
        state.withLock { state in
            state = prepared.state
            newestNumber.add(1, ordering: .releasing)
        }
    }

    /// Whether a file is another than when it was last read: another inode, another time, another length. Asks the file system.
    public var hasChanged: Bool {
        let (files, stamps) = state.withLock { ($0.files, $0.stamps) }
        return Self.stamps(of: files) != stamps
    }

    private static func stamps(of files: [TLSFiles]) -> [FileStamp?] { files.flatMap(\.all).map(FileStamp.init) }
}

/// What tells a file from the one that was there before. Symbolic links are followed: whoever mounts secrets swaps one.
struct FileStamp: Equatable, Sendable {
    private let device: UInt
    private let inode: UInt
    private let seconds: Int
    private let nanoseconds: Int
    private let bytes: Int

    /// Nil: there is none.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, inode, bytes) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
        (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
}
