internal import BrokerCore

/// What must be read of the registry, and how far it has been read: app after app, in steps that hold no lock for long.
///
/// An app that is new to us is *adopted*: what it has was there before. After a loss all apps are *compared* with what was told, at most
/// once a second, and once more if edges were lost meanwhile.
///
/// While it is read, edges wait that are older than what was read. To adopt does no harm to them: they tell the rest of the story. To compare
/// does: what they say has been told by then, so each channel, and the app as a whole, has a number up to which edges are passed over.
struct RegistryReading {
    /// One channel as it was when its lock was held.
    struct Finding {
        var name: NameKey
        /// Nil: nobody is there.
        var found: OccupiedChannel?
        /// Edges up to it are contained.
        var number: UInt64
    }

    /// What one call has found.
    struct Step {
        var app: AppStory
        var isAdopting: Bool
        var findings: [Finding] = []
    }

    /// One app that is being read.
    private struct Current {
        let app: AppStory
        let isAdopting: Bool
        var walk: OccupancyWalk
        /// The walk is over; then those channels are asked for that were known and not seen, from the last.
        var unseen: [ChannelStory]?
    }

    /// Between the beginnings of two comparisons.
    static let pauseMilliseconds: UInt64 = 1_000
    /// Locks that one step takes.
    private static let locksMax = 64

    private var current: Current?
    private var adoptions: [AppStory] = []
    /// Read to the end; edges from before may still wait.
    private var settling: [AppStory] = []
    /// Grows with each loss; and as it was when the last comparison began.
    private var losses: UInt64 = 0
    private var compared: UInt64 = 0
    /// The app that the running comparison reads next.
    private var nextApp: Int?
    private var notBefore: UInt64 = 0
    private var slice = OccupancySlice()
    /// Comparisons begun.
    private(set) var comparisons: UInt64 = 0

    /// What an app has was there before.
    mutating func adopt(_ app: AppStory) {
        if !adoptions.contains(where: { $0 === app }) { adoptions.append(app) }
    }

    /// Edges were lost. What is not known of an app that is being adopted may have come just now.
    mutating func noteLoss() {
        losses += 1
        for app in adoptions + settling { app.adopting = [] }
        (adoptions, settling) = ([], [])
        guard let current, current.isAdopting else { return }
        current.app.adopting = []
        self.current = nil
    }

    /// All edges were taken that waited when an adoption had read its last channel: nothing is assumed any more.
    mutating func settle() {
        guard !settling.isEmpty else { return }
        for app in settling where current?.app !== app && !adoptions.contains(where: { $0 === app }) {
            app.adopting = []
        }
        settling = []
    }

    func mustRead(_ now: UInt64) -> Bool { nextDue.map { $0 <= now } ?? false }

    var nextDue: UInt64? {
        if current != nil || nextApp != nil || !adoptions.isEmpty { return 0 }
        return losses > compared ? notBefore : nil
    }

    /// Takes a step.
    /// - Parameter apps: by number.
    mutating func next(of shared: SharedBroker, _ apps: [AppStory?], _ now: UInt64) -> Step? {
        guard mustRead(now), begin(shared, apps, now), var reading = current else { return nil }
        var step = Step(app: reading.app, isAdopting: reading.isAdopting)
        // So that its list is not copied when it gets shorter.
        current = nil
        if reading.unseen != nil {
            let app = shared.apps[reading.app.number]
            while step.findings.count < Self.locksMax, let channel = reading.unseen?.popLast() {
                let (found, number) = app.occupancy(of: channel.name.bytes)
                step.findings.append(Finding(name: channel.name, found: found, number: number))
            }
            current = reading.unseen?.isEmpty == true ? nil : reading
            return step
        }
        var isMore = true
        for _ in 0..<Self.locksMax where isMore && step.findings.isEmpty {
            isMore = reading.walk.next(into: &slice)
            step.findings = slice.channels.map { Finding(name: NameKey($0.name), found: $0, number: slice.number) }
        }
        current = reading
        if !isMore { endWalk(&step) }
        return step
    }

    /// Goes on to what is read next, if nothing is being read.
    /// - Returns: false when there is nothing.
    private mutating func begin(_ shared: SharedBroker, _ apps: [AppStory?], _ now: UInt64) -> Bool {
        guard current == nil else { return true }
        if !adoptions.isEmpty {
            let app = adoptions.removeFirst()
            current = Current(app: app, isAdopting: true, walk: OccupancyWalk(of: shared.apps[app.number]))
            return true
        }
        if nextApp == nil {
            (nextApp, compared, notBefore) = (0, losses, now + Self.pauseMilliseconds)
            comparisons += 1
        }
        while let number = nextApp, number < apps.count {
            nextApp = number + 1
            guard let app = apps[number], !app.aspects.isEmpty else { continue }
            let walk = OccupancyWalk(of: shared.apps[number])
            app.readNumber = walk.number
            current = Current(app: app, isAdopting: false, walk: walk)
            return true
        }
        nextApp = nil
        return false
    }

    /// The walk of the current app is over, and its last step not applied yet.
    private mutating func endWalk(_ step: inout Step) {
        guard let reading = current else { return }
        current = nil
        if reading.isAdopting { return settling.append(reading.app) }
        let seen = Set(step.findings.map(\.name))
        let unseen = reading.app.channels.values.filter {
            $0.readNumber < reading.walk.number && !seen.contains($0.name)
        }
        guard !unseen.isEmpty else { return }
        current = reading
        current?.unseen = unseen
    }
}
