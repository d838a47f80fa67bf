/// What the operator decided for one app: identity, keys, features and limits.
///
/// Configuration builds it once and the broker only reads it, so it may be read from any thread.
///
/// Large, because it has a field for each option of an app.
public struct AppSettings: Sendable, Equatable {
    /// A key and its secret. Several may be active at once, so that one can be rotated out.
    public struct Key: Sendable, Equatable {
        public var key: String
        public var secret: String

        public init(key: String, secret: String) {
            self.key = key
            self.secret = secret
        }
    }

    /// How a refused subscription is reported (Pusher protocol §3.4).
    public enum SubscriptionErrorDialect: String, Sendable, CaseIterable {
        /// `pusher:subscription_error` on the channel, as soketi does and Laravel Echo expects.
        case soketi
        /// `pusher:error` on the connection, as hosted Pusher does.
        case hosted
        /// Both, in that order.
        case both
    }

    /// The id in HTTP paths, `/apps/{id}/…`.
    public var id: String
    /// Other ids that name the same app; some server libraries accept only digits.
    public var aliases: [String] = []
    /// Active keys, oldest first; never empty in a checked configuration.
    public var keys: [Key]
    public var isEnabled = true
    /// Refuses plaintext connections with 4000.
    public var requiresTLS = false
    /// Refuses a connection that names no `protocol` with 4008 instead of taking it for 7.
    public var isProtocolStrict = false
    /// Origins a browser may connect from; empty, or a list with `*`, allows all.
    public var allowedOrigins: [String] = []
    public var clientEventsEnabled = false
    public var subscriptionCountEnabled = false
    public var watchlistEnabled = true
    /// Closes connections that neither signed in nor joined a private or presence channel in time.
    public var authorizedConnectionsRequired = false
    /// 1...3600.
    public var authorizationTimeoutSeconds = 30
    public var subscriptionErrors = SubscriptionErrorDialect.both
    /// The code for a connection over quota: 4004 (clients give up) or 4100 (clients come back).
    public var quotaCode = 4004
    /// Announced to clients, and the silence after which the broker pings; 10...300 (1 is allowed for tests). Well below the 60 s
    /// after which nginx and AWS balancers cut an idle connection.
    public var activityTimeoutSeconds = 45
    public var limits = AppLimits()
    /// Where its webhooks go; none: nobody is told.
    public var webhooks: [WebhookEndpoint] = []

    public init(id: String, keys: [Key]) {
        self.id = id
        self.keys = keys
    }
}

/// The bounds of one app. `nil` means unlimited.
///
/// Large, because it has a field for each limit.
public struct AppLimits: Sendable, Equatable {
    public var connectionsMax: Int?
    public var channelsMax: Int?
    public var channelsPerConnectionMax = 10_000
    public var channelNameBytesMax = 200
    /// Unicode scalars.
    public var eventNameCharactersMax = 200
    /// After JSON unescaping.
    public var eventDataBytesMax = 10_240
    /// Channels in one publish.
    public var eventChannelsMax = 100
    public var batchEventsMax = 10
    /// Distinct users in one presence channel.
    public var presenceMembersMax = 100
    /// Size of `channel_data` after JSON unescaping.
    public var presenceMemberBytesMax = 2_048
    public var userIDCharactersMax = 128
    public var clientEventBytesMax = 10_240
    /// Per connection, a bucket of this many tokens refilled at this rate.
    public var clientEventsPerSecondMax: Int? = 10
    /// Published channel-events through the HTTP API.
    public var backendEventsPerSecondMax: Int?
    public var readRequestsPerSecondMax: Int?
    /// Published channel-events and accepted client events per UTC day.
    public var messagesPerDayMax: Int?
    public var watchlistMax = 100
    /// How long a cache channel keeps its last event.
    public var cacheSeconds = 1_800
    /// Cache channels that keep an event; above it the one that would expire first is forgotten. Held per shard of the
    /// registry, so it is exact only for large values; at least 64.
    public var cacheChannelsMax = 16_384

    public init() {}
}
