internal import PusherProtocol

/// The apps by number, by key and by id: one snapshot of what is configured, which nothing changes any more. Safe from any thread.
///
/// Each loop holds one, and is given the next in a turn of its own (`LoopBroker.use`): within a turn nothing changes under a command.
public final class AppDirectory: Sendable {
    /// More apps than there are numbers would have been configured since the process started.
    public struct NumbersUsedUp: Error {}

    /// Apps a broker may have, and may have had since its start: a delivery names its app in 16 bits.
    public static let appsMax = Int(UInt16.max)

    /// By number. Numbers only grow, since connections, tables and deliveries know an app by its own: one that was removed keeps it,
    /// and has it again, with all that was counted, when an app of its id comes back.
    public let apps: [App]
    private let byKey: NameTable
    private let byID: NameTable
    private let appOfKey: [UInt16]
    private let appOfID: [UInt16]

    /// The apps of a process that starts.
    /// - Parameter settings: checked: keys and ids are unique over all apps.
    convenience init(settings: [AppSettings], shards: ShardDirectory) {
        precondition(settings.count <= Self.appsMax, "a delivery names its app in 16 bits")
        self.init(settings.enumerated().map { App(index: $0, settings: $1, shards: shards) }, hashing: shards.hashing)
    }

    /// The next snapshot: apps of the same id go on under their numbers, others are removed or get numbers of their own.
    /// - Parameter settings: checked, as above.
    convenience init(
        after before: AppDirectory, settings: [AppSettings], shards: ShardDirectory
    ) throws(NumbersUsedUp) {
        var wanted: [String: AppSettings] = [:]
        for one in settings { wanted[one.id] = one }
        var apps = before.apps.map { App($0, settings: wanted.removeValue(forKey: $0.settings.id)) }
        guard apps.count + wanted.count <= Self.appsMax else { throw NumbersUsedUp() }
        // In the order of the settings.
        for one in settings where wanted[one.id] != nil {
            apps.append(App(index: apps.count, settings: one, shards: shards))
        }
        self.init(apps, hashing: shards.hashing)
    }

    private init(_ apps: [App], hashing: NameHashing) {
        self.apps = apps
        var keys = NameTable(hashing: hashing)
        var ids = NameTable(hashing: hashing)
        var (keyApps, idApps): ([UInt16], [UInt16]) = ([], [])
        for app in apps where !app.isRemoved {
            for key in app.keys {
                precondition(keys.find(key.key.span) == nil, "a checked configuration names each key once")
                _ = keys.insert(key.key)
                keyApps.append(UInt16(app.index))
            }
            for id in [app.settings.id] + app.settings.aliases {
                precondition(ids.find(Array(id.utf8).span) == nil, "a checked configuration names each id once")
                _ = ids.insert(Array(id.utf8))
                idApps.append(UInt16(app.index))
            }
        }
        byKey = keys
        byID = ids
        (appOfKey, appOfID) = (keyApps, idApps)
    }

    /// Whether some app is closed that was open in a snapshot before, so that clients of it may be left. Any thread.
    public func closesApps(of before: AppDirectory) -> Bool {
        zip(before.apps, apps).contains { !$0.isClosed && $1.isClosed }
    }

    /// The app that has this key, whatever its other keys are. Any thread.
    public func app(key: Span<UInt8>) -> App? { byKey.find(key).map { apps[Int(appOfKey[Int($0)])] } }

    /// The app of an id or alias. Any thread.
    public func app(id: Span<UInt8>) -> App? { byID.find(id).map { apps[Int(appOfID[Int($0)])] } }
}
