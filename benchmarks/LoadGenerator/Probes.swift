/// Connections that only ask how long a greeting takes, by a timetable, while something else happens.
struct Probes {
    var pacer: Pacer
    let end: UInt64

    /// The next probe, by the time it is due at.
    mutating func take(now: UInt64) -> Due<UInt64> { pacer.take(now: now, before: end) }
}
