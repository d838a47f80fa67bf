/// soketi's variables (Pusher protocol, Appendix C).
extension ForeignFamily {
    static let soketi = ForeignFamily(
        name: "soketi", prefix: "SOKETI_",
        variables: soketiVariables + soketiDetails.map { (name: "SOKETI_" + $0, effect: Effect.ignored) },
        hasDefaultID: true, clientEventsByDefault: false,
        appDefaults: [
            .init("event-data-bytes", 102_400, "100 KiB"), .init("client-event-bytes", 102_400, "100 KiB"),
            .init("client-events-per-second", -1), .init("presence-member-bytes", 3_072, "2 KiB of user_info"),
            .init("user-id-characters", 1_000), .init("channels-per-connection", 1_000_000),
            .init("cache-seconds", 3_600, "an hour"),
        ], requestBodyBytes: 100 << 20)

    private static let soketiVariables: [(name: String, effect: Effect)] = [
        ("SOKETI_HOST", .server("host")),
        ("SOKETI_PORT", .server("port")),
        ("SOKETI_PATH_PREFIX", .server("path-prefix")),
        ("SOKETI_DEBUG", .debug),
        (
            "SOKETI_MODE",
            .driver(supported: ["full", "server"], otherwise: "to run a process that only sends webhooks")
        ),
        ("SOKETI_SHUTDOWN_GRACE_PERIOD", .server("shutdown-grace-seconds", .milliseconds)),
        ("SOKETI_HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD", .server("memory-threshold-percent")),
        ("SOKETI_DEFAULT_APP_ID", .app(["app-id"])),
        ("SOKETI_DEFAULT_APP_KEY", .app(["app-key"])),
        ("SOKETI_DEFAULT_APP_SECRET", .app(["app-secret"])),
        ("SOKETI_DEFAULT_APP_ENABLED", .app(["app-enabled"])),
        ("SOKETI_DEFAULT_APP_MAX_CONNS", .app(["app-connections"])),
        ("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", .app(["client-events"])),
        ("SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC", .app(["backend-events-per-second"])),
        ("SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC", .app(["client-events-per-second"])),
        ("SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC", .app(["read-requests-per-second"])),
        ("SOKETI_DEFAULT_APP_USER_AUTHENTICATION", .app(["authorized-connections"])),
        ("SOKETI_DEFAULT_APP_WEBHOOKS", .webhooks),
        ("SOKETI_USER_AUTHENTICATION_TIMEOUT", .everyApp(["authorization-timeout-seconds"], .milliseconds)),
        ("SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH", .everyApp(["channel-name-bytes"])),
        ("SOKETI_CHANNEL_CACHE_TTL", .everyApp(["cache-seconds"])),
        ("SOKETI_EVENT_MAX_CHANNELS_AT_ONCE", .everyApp(["event-channels"])),
        ("SOKETI_EVENT_MAX_NAME_LENGTH", .everyApp(["event-name-characters"])),
        ("SOKETI_EVENT_MAX_SIZE_IN_KB", .everyApp(["event-data-bytes", "client-event-bytes"], .kilobytes)),
        ("SOKETI_EVENT_MAX_BATCH_SIZE", .everyApp(["batch-events"])),
        ("SOKETI_PRESENCE_MAX_MEMBERS", .everyApp(["presence-members"])),
        ("SOKETI_PRESENCE_MAX_MEMBER_SIZE", .everyApp(["presence-member-bytes"], .memberKilobytes)),
        ("SOKETI_SSL_CERT", .server("tls-certificate")),
        ("SOKETI_SSL_KEY", .server("tls-key")),
        ("SOKETI_SSL_PASS", .elsewhere(Unsupported.passphrase)),
        ("SOKETI_SSL_CA", .elsewhere(Unsupported.clientCertificates)),
        ("SOKETI_WEBHOOKS_BATCHING", .batching(.isOn)),
        ("SOKETI_WEBHOOKS_BATCHING_DURATION", .batching(.duration)),
        ("SOKETI_METRICS_ENABLED", .server("metrics-enabled")),
        ("SOKETI_METRICS_DRIVER", .ignored),
        ("SOKETI_METRICS_HOST", .server("metrics-host")),
        ("SOKETI_METRICS_SERVER_PORT", .server("metrics-port")),
        ("SOKETI_METRICS_PROMETHEUS_PREFIX", .server("metrics-prefix")),
        ("SOKETI_ADAPTER_DRIVER", .driver(supported: ["local"], otherwise: "to start single-node by accident")),
        ("SOKETI_APP_MANAGER_DRIVER", .driver(supported: ["array"], otherwise: "to start without those apps")),
        (
            "SOKETI_CACHE_DRIVER",
            .driver(supported: ["memory"], otherwise: "to keep the cache in memory by accident")
        ),
        ("SOKETI_QUEUE_DRIVER", .driver(supported: ["sync"], otherwise: "to start without that queue")),
        (
            "SOKETI_RATE_LIMITER_DRIVER",
            .driver(supported: ["local"], otherwise: "to limit per process by accident")
        ),
        ("SOKETI_CORS_ORIGIN", .elsewhere(Unsupported.cors)),
        ("SOKETI_CORS_ORIGINS", .elsewhere(Unsupported.cors)),
        ("SOKETI_CORS_ALLOWED_ORIGINS", .elsewhere(Unsupported.cors)),
        ("SOKETI_CORS_CREDENTIALS", .elsewhere(Unsupported.cors)),
        ("SOKETI_CORS_METHODS", .elsewhere(Unsupported.cors)),
        ("SOKETI_CORS_ALLOWED_HEADERS", .elsewhere(Unsupported.cors)),
    ]

    /// Details of what another variable turns on.
    private static let soketiDetails = [
        "ADAPTER_CLUSTER_PREFIX", "ADAPTER_CLUSTER_REQUESTS_TIMEOUT", "ADAPTER_NATS_NODES_NUMBER",
        "ADAPTER_NATS_PASSWORD",
        "ADAPTER_NATS_PORT", "ADAPTER_NATS_PREFIX", "ADAPTER_NATS_REQUESTS_TIMEOUT", "ADAPTER_NATS_SERVERS",
        "ADAPTER_NATS_TIMEOUT", "ADAPTER_NATS_TOKEN", "ADAPTER_NATS_USER", "ADAPTER_REDIS_CLUSTER_MODE",
        "ADAPTER_REDIS_PREFIX", "ADAPTER_REDIS_PUB_OPTIONS", "ADAPTER_REDIS_REQUESTS_TIMEOUT",
        "ADAPTER_REDIS_SUB_OPTIONS",
        "APP_MANAGER_CACHE_ENABLED", "APP_MANAGER_CACHE_TTL", "APP_MANAGER_DYNAMODB_ENDPOINT",
        "APP_MANAGER_DYNAMODB_REGION", "APP_MANAGER_DYNAMODB_TABLE", "APP_MANAGER_MYSQL_TABLE",
        "APP_MANAGER_MYSQL_USE_V2", "APP_MANAGER_MYSQL_VERSION", "APP_MANAGER_POSTGRES_TABLE",
        "APP_MANAGER_POSTGRES_VERSION", "CACHE_REDIS_CLUSTER_MODE", "CACHE_REDIS_OPTIONS", "CLUSTER_BROADCAST_ADDRESS",
        "CLUSTER_CHECK_INTERVAL", "CLUSTER_HOST", "CLUSTER_IGNORE_PROCESS", "CLUSTER_KEEPALIVE_INTERVAL",
        "CLUSTER_MASTER_TIMEOUT", "CLUSTER_MULTICAST_ADDRESS", "CLUSTER_NODE_TIMEOUT", "CLUSTER_PORT", "CLUSTER_PREFIX",
        "CLUSTER_UNICAST_ADDRESSES", "DB_MYSQL_DATABASE", "DB_MYSQL_HOST", "DB_MYSQL_PASSWORD", "DB_MYSQL_PORT",
        "DB_MYSQL_USERNAME", "DB_POOLING_ENABLED", "DB_POOLING_MAX", "DB_POOLING_MIN", "DB_POSTGRES_DATABASE",
        "DB_POSTGRES_HOST", "DB_POSTGRES_PASSWORD", "DB_POSTGRES_PORT", "DB_POSTGRES_USERNAME",
        "DB_REDIS_CLUSTER_NODES",
        "DB_REDIS_DB", "DB_REDIS_HOST", "DB_REDIS_INSTANCE_NAME", "DB_REDIS_KEY_PREFIX", "DB_REDIS_PASSWORD",
        "DB_REDIS_PORT", "DB_REDIS_SENTINELS", "DB_REDIS_SENTINEL_PASSWORD", "DB_REDIS_USERNAME",
        "QUEUE_REDIS_CLUSTER_MODE", "QUEUE_REDIS_CONCURRENCY", "QUEUE_REDIS_OPTIONS", "QUEUE_SQS_BATCH_SIZE",
        "QUEUE_SQS_CLIENT_OPTIONS", "QUEUE_SQS_ENDPOINT", "QUEUE_SQS_POLLING_WAIT_TIME_MS", "QUEUE_SQS_PROCESS_BATCH",
        "QUEUE_SQS_REGION", "QUEUE_SQS_URL", "RATE_LIMITER_REDIS_CLUSTER_MODE", "RATE_LIMITER_REDIS_OPTIONS",
    ]
}
