/// The last attempts of each app, for people: a thousand of each, and of all apps together so many that they take a few megabytes.
struct AttemptLog {
    let perAppMax: Int
    let totalMax: Int
    private var apps: [String: Ring] = [:]
    private(set) var count = 0

    /// The newest records, and where the oldest of them is.
    private struct Ring {
        var records: [AttemptRecord] = []
        var oldest = 0

        /// In their order.
        var all: [AttemptRecord] { Array(records[oldest...] + records[..<oldest]) }

        mutating func add(_ record: AttemptRecord, limit: Int) {
            guard records.count >= limit else { return records.append(record) }
            records[oldest] = record
            oldest = oldest + 1 == limit ? 0 : oldest + 1
        }

        mutating func keep(_ limit: Int) {
            guard records.count > limit else { return }
            (records, oldest) = (Array(all.suffix(limit)), 0)
        }
    }

    init(perAppMax: Int = 1_000, totalMax: Int = 40_000) {
        precondition(perAppMax > 0 && totalMax >= perAppMax, "an app may have some, and all may have what one may")
        (self.perAppMax, self.totalMax) = (perAppMax, totalMax)
    }

    /// When there are too many, each app keeps an equal share of three quarters; those who have less keep all.
    mutating func add(_ record: AttemptRecord) {
        let before = apps[record.app]?.records.count ?? 0
        apps[record.app, default: Ring()].add(record, limit: perAppMax)
        count += (apps[record.app]?.records.count ?? 0) - before
        if count > totalMax { shrink() }
    }

    private mutating func shrink() {
        let share = totalMax * 3 / 4 / apps.count
        if share == 0 {
            apps = [:]
        } else {
            for app in apps.keys { apps[app]?.keep(share) }
        }
        count = apps.values.reduce(0) { $0 + $1.records.count }
    }

    /// Of one app, or of all, newest last.
    func records(app: String?) -> [AttemptRecord] {
        if let app { return apps[app]?.all ?? [] }
        return apps.values.flatMap(\.all).sorted { $0.unixMilliseconds < $1.unixMilliseconds }
    }
}
