public import PusherProtocol

/// One app as one snapshot of the settings describes it. Safe from any thread.
///
/// Settings and keys are of this snapshot and never change. Channels, quotas and counters are the same objects in every snapshot of the
/// app: replacing the settings loses nothing of them, and a command reaches either in one step.
public final class App: Sendable {
    /// Its number, the same in every snapshot.
    public let index: Int
    /// Without the keys: nobody needs a secret's text any more.
    public let settings: AppSettings
    /// The prepared keys, in the order of the settings; none of an app that was removed.
    public let keys: [AppKey]
    /// It is no longer configured: no key or id leads here, but connections may be left, and the number is still its own.
    public let isRemoved: Bool
    /// Nobody is let in, nothing is published, and who is here is to be sent away.
    public var isClosed: Bool { isRemoved || !settings.isEnabled }
    let registry: ChannelRegistry
    let connections: Quota
    /// Occupied channels, user channels not among them.
    let channels: Quota
    let backendEvents: WindowCounter
    let readRequests: WindowCounter
    let messagesToday: WindowCounter
    /// Which edges somebody wants to be told.
    let edges: EdgeInterest

    /// An app that was not there before.
    init(index: Int, settings: AppSettings, shards: ShardDirectory) {
        self.index = index
        (keys, self.settings, isRemoved) = (Self.prepared(settings), Self.kept(settings), false)
        registry = ChannelRegistry(app: index, directory: shards)
        (connections, channels, edges) = (Quota(), Quota(), EdgeInterest())
        (backendEvents, readRequests, messagesToday) = (WindowCounter(), WindowCounter(), WindowCounter())
    }

    /// The app with other settings; nil: removed.
    init(_ before: App, settings: AppSettings?) {
        index = before.index
        keys = settings.map(Self.prepared) ?? []
        self.settings = settings.map(Self.kept) ?? Self.closed(before.settings)
        isRemoved = settings == nil
        registry = before.registry
        (connections, channels, edges) = (before.connections, before.channels, before.edges)
        (backendEvents, readRequests, messagesToday) =
            (before.backendEvents, before.readRequests, before.messagesToday)
    }

    private static func prepared(_ settings: AppSettings) -> [AppKey] {
        settings.keys.map { AppKey(key: $0.key, secret: $0.secret) }
    }

    /// What commands look at. No keys; and an app that is switched off takes no client events either, from those who are still here, and nobody
    /// is told of them.
    private static func kept(_ settings: AppSettings) -> AppSettings {
        var kept = settings
        kept.keys = []
        return settings.isEnabled ? kept : closed(kept)
    }

    private static func closed(_ settings: AppSettings) -> AppSettings {
        var closed = settings
        (closed.isEnabled, closed.clientEventsEnabled) = (false, false)
        closed.webhooks = []
        return closed
    }

    /// Whether another snapshot of the app has the same settings and the same keys with the same secrets.
    public func isConfigured(like other: App) -> Bool {
        settings == other.settings && keys.elementsEqual(other.keys) { $0.isSame(as: $1) }
    }

    /// Connections open now. Any thread.
    public var connectionCount: Int { connections.count }
    /// Occupied channels now. Any thread.
    public var channelCount: Int { channels.count }
}
