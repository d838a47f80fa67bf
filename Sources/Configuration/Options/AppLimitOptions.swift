import BrokerCore

/// What one app may take.
extension Option where Settings == AppDraft {
    private static func limit(
        _ name: String, _ key: String, unit: String = "", _ field: Field<AppDraft>, _ help: String
    ) -> Option {
        .init(
            name: name, key: "limits." + key, field: field, group: .appLimits, unit: unit,
            help: help)
    }

    static let appLimits: [Option] = [
        limit(
            "app-connections", "connections", .limit(\.app.limits.connectionsMax, 0...10_000_000),
            "Connections of the app"),
        limit(
            "app-channels", "channels", .limit(\.app.limits.channelsMax, 1...100_000_000),
            "Occupied channels of the app"),
        limit(
            "channels-per-connection", "channelsPerConnection",
            .integer(\.app.limits.channelsPerConnectionMax, 1...1_000_000), "Channels one connection may join"),
        limit(
            "channel-name-bytes", "channelNameBytes", unit: "bytes",
            .integer(\.app.limits.channelNameBytesMax, 1...1_000), "Length of a channel name"),
        limit(
            "event-name-characters", "eventNameCharacters", unit: "characters",
            .integer(\.app.limits.eventNameCharactersMax, 1...1_000), "Length of an event name"),
        limit(
            "event-data-bytes", "eventDataBytes", unit: "bytes",
            .integer(\.app.limits.eventDataBytesMax, 1...67_108_864), "Data of one published event"),
        limit(
            "event-channels", "eventChannels", .integer(\.app.limits.eventChannelsMax, 1...10_000),
            "Channels of one published event"),
        limit(
            "batch-events", "batchEvents", .integer(\.app.limits.batchEventsMax, 1...10_000), "Events of one batch"),
        limit(
            "presence-members", "presenceMembers", .integer(\.app.limits.presenceMembersMax, 1...1_000_000),
            "Users of one presence channel"),
        limit(
            "presence-member-bytes", "presenceMemberBytes", unit: "bytes",
            .integer(\.app.limits.presenceMemberBytesMax, 64...1_048_576), "channel_data of one member"),
        limit(
            "user-id-characters", "userIDCharacters", unit: "characters",
            .integer(\.app.limits.userIDCharactersMax, 1...1_000), "Length of a user id"),
        limit(
            "client-event-bytes", "clientEventBytes", unit: "bytes",
            .integer(\.app.limits.clientEventBytesMax, 1...67_108_864), "Data of one client event"),
        limit(
            "client-events-per-second", "clientEventsPerSecond",
            .limit(\.app.limits.clientEventsPerSecondMax, 1...1_000_000), "Client events of one connection per second"),
        limit(
            "backend-events-per-second", "backendEventsPerSecond",
            .limit(\.app.limits.backendEventsPerSecondMax, 1...100_000_000), "Published channel-events per second"),
        limit(
            "read-requests-per-second", "readRequestsPerSecond",
            .limit(\.app.limits.readRequestsPerSecondMax, 1...100_000_000), "Reading API requests per second"),
        limit(
            "messages-per-day", "messagesPerDay", .limit(\.app.limits.messagesPerDayMax, 1...1_000_000_000_000),
            "Published channel-events and client events per UTC day"),
        limit(
            "watchlist-users", "watchlist", .integer(\.app.limits.watchlistMax, 0...10_000),
            "Users of one watchlist"),
        limit(
            "cache-seconds", "cacheSeconds", unit: "seconds", .integer(\.app.limits.cacheSeconds, 1...86_400),
            "How long a cache channel keeps its last event"),
        limit(
            "cache-channels", "cacheChannels", .integer(\.app.limits.cacheChannelsMax, 64...10_000_000),
            "Cache channels that keep an event; above it the oldest is forgotten"),
    ]
}
