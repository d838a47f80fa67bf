/// What holds for the webhooks of all apps.
public struct WebhookOptions: Sendable, Equatable {
    /// Where what waits outlives the process; empty: nowhere.
    public var stateDirectory = ""
    /// How long "vacated" and "removed" wait after a disconnect for a return.
    public var returnMilliseconds = 3_000
    /// How long an event is tried.
    public var retrySeconds = 300
    /// What may wait in memory.
    public var queueBytesMax = 67_108_864
    public var spool = SpoolOptions()

    public init() {}
}
