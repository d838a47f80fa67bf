internal import BrokerCore
internal import Configuration
internal import Wire

/// What is configured, as the loops read it: one snapshot, which nothing changes any more. Safe from any thread.
///
/// Everything that is made of the settings once is made here, so that a new snapshot changes all of it in one step.
final class SettingsSnapshot: Sendable {
    let settings: ServerSettings
    let apps: AppDirectory
    let limits: InputLimits
    let addressLimits: AddressLimits
    /// The configured path prefix as bytes; empty, or `/…` without a slash at its end.
    let pathPrefix: [UInt8]
    let secrets: SecretFilter

    /// - Parameter settings: their apps are in `apps`; only the first is kept, for the banner.
    init(_ settings: ServerSettings, apps: AppDirectory, secrets: SecretFilter) {
        var kept = settings
        kept.apps = Array(settings.apps.prefix(1))
        (self.settings, self.apps, self.secrets) = (kept, apps, secrets)
        limits = InputLimits(settings)
        addressLimits = AddressLimits(
            connections: settings.connectionsPerAddressMax, perSecond: settings.connectionsPerAddressPerSecondMax)
        pathPrefix = Array(settings.pathPrefix.utf8)
    }
}

/// What one connection may send, as the readers want it.
struct InputLimits: Sendable {
    let http: HTTPLimits
    let webSocket: WebSocketLimits
    /// A connection without a request is closed after this long.
    let keepAliveMilliseconds: UInt32

    init(_ settings: ServerSettings) {
        http = HTTPLimits(headBytesMax: settings.requestHeadBytesMax, bodyBytesMax: settings.requestBodyBytesMax)
        webSocket = WebSocketLimits(messageBytesMax: settings.messageBytesMax)
        keepAliveMilliseconds = UInt32(settings.keepAliveSeconds) * 1_000
    }
}
