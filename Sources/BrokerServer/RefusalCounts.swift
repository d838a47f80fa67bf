/// How many refusals of each kind one loop has made since it started. Plain numbers of the loop's thread; whoever sums the loops has each
/// loop copy its own.
struct RefusalCounts: Equatable {
    private var counts = [UInt64](repeating: 0, count: RefusalKind.allCases.count)

    subscript(kind: RefusalKind) -> UInt64 { counts[kind.rawValue] }

    mutating func add(_ kind: RefusalKind, _ count: UInt64 = 1) { counts[kind.rawValue] &+= count }
}
