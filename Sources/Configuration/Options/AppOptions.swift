import BrokerCore

/// What one app is and does.
extension Option where Settings == AppDraft {
    static let identity: [Option] = [
        .init(
            name: "app-id", key: "id", field: .text(\.app.id), group: .identity,
            help: "Id in HTTP paths, /apps/{id}/…"),
        .init(
            name: "app-aliases", key: "aliases", field: .list(\.app.aliases, of: .identifier), group: .identity,
            help: "Other ids of the same app; some libraries accept only digits"),
        .init(
            name: "app-key", key: "key", field: .text(\.key), group: .identity,
            help: "Public key, /app/{key}"),
        .init(
            name: "app-secret", key: "secret", field: .secret(\.secret), group: .identity,
            help: "Secret that signs requests and subscriptions"),
        .init(
            name: "app-keys", key: "keys", field: .objects(.keys), group: .identity,
            help: "Further pairs of key and secret, for rotation (as text: key:secret,…)"),
        .init(
            name: "app-enabled", key: "enabled", field: .boolean(\.app.isEnabled), group: .identity,
            help: "A disabled app refuses everything"),
    ]

    static let features: [Option] = [
        .init(
            name: "client-events", key: "clientEvents", field: .boolean(\.app.clientEventsEnabled),
            group: .features,
            help: "Clients may send client-… events; on for the built-in app and for apps of Reverb"),
        .init(
            name: "subscription-count", key: "subscriptionCount", field: .boolean(\.app.subscriptionCountEnabled),
            group: .features, help: "Send subscription_count events"),
        .init(
            name: "watchlist", key: "watchlist", field: .boolean(\.app.watchlistEnabled), group: .features,
            help: "Tell signed-in users who of their watchlist is online"),
        .init(
            name: "require-tls", key: "requireTLS", field: .boolean(\.app.requiresTLS), group: .features,
            help: "Refuse plaintext connections (4000)"),
        .init(
            name: "strict-protocol", key: "strictProtocol", field: .boolean(\.app.isProtocolStrict),
            group: .features,
            help: "Refuse connections without ?protocol= (4008)"),
        .init(
            name: "allowed-origins", key: "allowedOrigins", field: .list(\.app.allowedOrigins, of: .origin),
            group: .features,
            help: "Pages that may connect: https://HOST[:PORT], HOST or *.HOST; empty or *: all"),
        .init(
            name: "authorized-connections", key: "authorizedConnections",
            field: .boolean(\.app.authorizedConnectionsRequired), group: .features,
            help: "Close connections that neither sign in nor join a private channel"),
        .init(
            name: "authorization-timeout-seconds", key: "authorizationTimeoutSeconds",
            field: .integer(\.app.authorizationTimeoutSeconds, 1...3_600), group: .features, unit: "seconds",
            help: "How long they may take"),
        .init(
            name: "subscription-errors", key: "subscriptionErrors", field: .words(\.app.subscriptionErrors),
            group: .features, help: "How a refused subscription is reported"),
        .init(
            name: "quota-code", key: "quotaCode", field: .numbers(\.app.quotaCode, [4004, 4100]), group: .features,
            help: "Close code over quota: 4004 clients give up, 4100 they come back"),
        .init(
            name: "activity-timeout-seconds", key: "activityTimeoutSeconds",
            field: .integer(\.app.activityTimeoutSeconds, 1...300), group: .features, unit: "seconds",
            help:
                "Silence after which a connection is pinged, also told to clients; sensible from 10. Below 60, because nginx "
                + "and AWS balancers cut idle connections at 60 s and Cloudflare at 100 s; hosted Pusher: 120"),
        .init(
            name: "webhooks", key: "webhooks", field: .objects(.webhooks), group: .features,
            help:
                "Who is told by HTTP what happens in channels, each endpoint with its own queue (as text: URLs separated by commas, "
                + "or the same array as in the file)"),
    ]
}

extension ObjectList where Settings == AppDraft {
    static let keys = ObjectList(
        \.moreKeys, blank: AppSettings.Key(key: "", secret: ""),
        rows: [
            .member("key", .text(\.key), "Public key, /app/{key}"),
            .member("secret", .secret(\.secret), "Secret that signs requests and subscriptions"),
        ], textForm: "KEY:SECRET"
    ) { pair in
        guard let colon = pair.firstIndex(of: ":") else {
            return .failure(ValueError(text: "must be key:secret pairs separated by commas"))
        }
        return .success(.init(key: pair[..<colon].trimmed, secret: pair[colon...].dropFirst().trimmed))
    }
}
