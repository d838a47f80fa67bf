/// One send that a job wants made.
struct Send: Equatable {
    /// Whose fault it is when it is late: nobody's, ours, or the server's, which kept all connections busy.
    enum Lateness: Equatable { case none, late, queued }
    /// A send this much after its time, in nanoseconds, is late.
    static let lateNanoseconds: UInt64 = 1_000_000

    /// When it was due.
    var scheduled: UInt64
    var lateness = Lateness.none
}
