/// What holds for the webhooks of all apps.
public struct WebhookSettings: Sendable, Equatable {
    /// When what was accepted is forced to the disk.
    public enum Sync: String, Sendable, CaseIterable {
        /// Ten times a second: the power takes what came since.
        case batch
        /// Before it is sent.
        case each
    }

    /// How long "vacated" and "removed" wait after a disconnect for a return; 0...60000.
    public var returnMilliseconds = 3_000
    /// How long an event is tried; 1...86400.
    public var retrySeconds = 300
    public var sync = Sync.batch
    /// What the spool may take of the disk.
    public var spoolBytesMax = 268_435_456
    /// What may wait in memory.
    public var queueBytesMax = 67_108_864

    public init() {}
}
