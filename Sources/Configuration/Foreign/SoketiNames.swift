/// The names of soketi's configuration file (Pusher protocol, Appendix C). What stands in none of these lists is unknown, at
/// whatever depth.
enum SoketiNames {
    static let apps = "appManager.array.apps"

    static let options: [String: ForeignFamily.Effect] = [
        "host": .server("host"),
        "port": .server("port"),
        "pathPrefix": .server("path-prefix"),
        "debug": .debug,
        "mode": .driver(supported: ["full", "server"], otherwise: "to run a process that only sends webhooks"),
        "shutdownGracePeriod": .server("shutdown-grace-seconds", .milliseconds),
        "httpApi.acceptTraffic.memoryThreshold": .server("memory-threshold-percent"),
        "httpApi.requestLimitInMb": .server("request-body-bytes", .megabytes),
        "userAuthenticationTimeout": .everyApp(["authorization-timeout-seconds"], .milliseconds),
        "channelLimits.maxNameLength": .everyApp(["channel-name-bytes"]),
        "channelLimits.cacheTtl": .everyApp(["cache-seconds"]),
        "eventLimits.maxChannelsAtOnce": .everyApp(["event-channels"]),
        "eventLimits.maxNameLength": .everyApp(["event-name-characters"]),
        "eventLimits.maxPayloadInKb": .everyApp(["event-data-bytes", "client-event-bytes"], .kilobytes),
        "eventLimits.maxBatchSize": .everyApp(["batch-events"]),
        "presence.maxMembersPerChannel": .everyApp(["presence-members"]),
        "presence.maxMemberSizeInKb": .everyApp(["presence-member-bytes"], .memberKilobytes),
        "adapter.driver": .driver(supported: ["local"], otherwise: "to start single-node by accident"),
        "appManager.driver": .driver(supported: ["array"], otherwise: "to start without those apps"),
        "cache.driver": .driver(supported: ["memory"], otherwise: "to keep the cache in memory by accident"),
        "queue.driver": .driver(supported: ["sync"], otherwise: "to start without that queue"),
        "rateLimiter.driver": .driver(supported: ["local"], otherwise: "to limit per process by accident"),
        "ssl.certPath": .server("tls-certificate"),
        "ssl.keyPath": .server("tls-key"),
        "ssl.passphrase": .elsewhere(Unsupported.passphrase),
        "ssl.caPath": .elsewhere(Unsupported.clientCertificates),
        "metrics.enabled": .server("metrics-enabled"),
        "metrics.host": .server("metrics-host"),
        "metrics.port": .server("metrics-port"),
        "metrics.prometheus.prefix": .server("metrics-prefix"),
        "webhooks.batching.enabled": .batching(.isOn),
        "webhooks.batching.duration": .batching(.duration),
        "cors.credentials": .elsewhere(Unsupported.cors),
        "cors.origin": .elsewhere(Unsupported.cors),
        "cors.methods": .elsewhere(Unsupported.cors),
        "cors.allowedHeaders": .elsewhere(Unsupported.cors),
    ]

    /// Details of what another name turns on, and what has no counterpart.
    private static let ignored = [
        "adapter.cluster": ["requestsTimeout", "prefix"],
        "adapter.nats": [
            "requestsTimeout", "prefix", "port", "servers", "user", "pass", "token", "timeout", "nodesNumber",
        ],
        "adapter.redis": ["requestsTimeout", "prefix", "clusterMode"],
        "appManager.cache": ["enabled", "ttl"],
        "appManager.dynamodb": ["table", "region", "endpoint"],
        "appManager.mysql": ["table", "version", "useMysql2"],
        "appManager.postgres": ["table", "version"],
        "cache.redis": ["clusterMode"],
        "cluster": [
            "hostname", "helloInterval", "checkInterval", "nodeTimeout", "masterTimeout", "port", "prefix",
            "ignoreProcess",
            "broadcast", "unicast", "multicast",
        ],
        "database.mysql": ["host", "port", "user", "password", "database"],
        "database.postgres": ["host", "port", "user", "password", "database"],
        "database.redis": [
            "host", "port", "db", "username", "password", "keyPrefix", "sentinels", "sentinelPassword", "name",
            "clusterNodes",
        ],
        "databasePooling": ["enabled", "min", "max"],
        "instance": ["process_id", "node_id", "pod_id"],
        "metrics": ["driver"],
        "queue.redis": ["concurrency", "clusterMode"],
        "queue.sqs": ["region", "queueUrl", "endpoint", "processBatch", "batchSize", "pollingWaitTimeMs"],
        "rateLimiter.redis": ["clusterMode"],
    ]

    /// Options that soketi hands to a library of its own: any name may stand in them, and none has an effect here.
    static let foreign: Set<String> = [
        "adapter.redis.redisPubOptions", "adapter.redis.redisSubOptions", "cache.redis.redisOptions",
        "queue.redis.redisOptions", "queue.sqs.clientOptions", "queue.sqs.consumerOptions",
        "rateLimiter.redis.redisOptions",
    ]

    /// Names of an app's members without underscores and in lower case, since soketi takes three spellings of each.
    static let appMembers: [String: ForeignFamily.Effect] = [
        "id": .app(["app-id"]), "appid": .app(["app-id"]), "key": .app(["app-key"]), "appkey": .app(["app-key"]),
        "secret": .app(["app-secret"]), "appsecret": .app(["app-secret"]), "enabled": .app(["app-enabled"]),
        "maxconnections": .app(["app-connections"]),
        "enableclientmessages": .app(["client-events"]),
        "enableuserauthentication": .app(["authorized-connections"]),
        "maxbackendeventspersecond": .app(["backend-events-per-second"]),
        "maxbackendeventspersec": .app(["backend-events-per-second"]),
        "maxclienteventspersecond": .app(["client-events-per-second"]),
        "maxclienteventspersec": .app(["client-events-per-second"]),
        "maxreadrequestspersecond": .app(["read-requests-per-second"]),
        "maxreadreqpersec": .app(["read-requests-per-second"]),
        "maxpresencememberperchannel": .app(["presence-members"]),
        "maxpresencemembersperchannel": .app(["presence-members"]),
        "maxpresencemembersizeinkb": .app(["presence-member-bytes"], .memberKilobytes),
        "maxchannelnamelength": .app(["channel-name-bytes"]),
        "maxeventchannelsatonce": .app(["event-channels"]),
        "maxeventnamelength": .app(["event-name-characters"]),
        "maxeventpayloadinkb": .app(["event-data-bytes", "client-event-bytes"], .kilobytes),
        "maxeventbatchsize": .app(["batch-events"]),
        "webhooks": .webhooks,
    ]

    static func appMember(_ name: String) -> ForeignFamily.Effect? {
        appMembers[name.lowercased().filter { $0 != "_" }]
    }

    /// Whether a name is that of an app's key or secret, also as a variable has it (`SOKETI_DEFAULT_APP_KEY`).
    static func isCredential(_ name: String) -> Bool {
        let words = name.lowercased().split(separator: "_").filter { !["soketi", "default"].contains($0) }
        return ["key", "appkey", "secret", "appsecret"].contains(words.joined())
    }

    /// For hints.
    static let appMemberSpellings = [
        "id", "key", "secret", "enabled", "maxConnections", "enableClientMessages", "enableUserAuthentication",
        "maxBackendEventsPerSecond", "maxClientEventsPerSecond", "maxReadRequestsPerSecond",
        "maxPresenceMembersPerChannel",
        "maxPresenceMemberSizeInKb", "maxChannelNameLength", "maxEventChannelsAtOnce", "maxEventNameLength",
        "maxEventPayloadInKb", "maxEventBatchSize", "webhooks",
    ]

    private static let ignoredPaths = ignored.flatMap { section, names in names.map { "\(section).\($0)" } }

    /// Every path that has a value.
    static let leaves: Set<String> = Set(options.keys).union(ignoredPaths).union(foreign).union([apps])

    /// Every path that has further names below it.
    static let sections: Set<String> = {
        var sections: Set<String> = []
        for leaf in leaves {
            var path = leaf[...]
            while let dot = path.lastIndex(of: ".") {
                path = path[..<dot]
                sections.insert(String(path))
            }
        }
        return sections
    }()

    /// All names, for hints.
    static let all = leaves.union(sections).sorted()

    /// What a file of soketi begins with and one of ours does not.
    static let marks: Set<String> = {
        let heads = Set(leaves.map { String($0.prefix { $0 != "." }) })
        return heads.subtracting(Option.server.map { $0.section ?? $0.key })
    }()
}
