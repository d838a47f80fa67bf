#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Secrets that a peer sends in the wrong place") struct SecretFilterTests {
        static let long = String(repeating: "0123456789abcdef", count: 8)
        let filter = SecretFilter(secrets: ["hush-hush-1", "QUJD/RA+x==", Self.long, "short"])

        @Test(arguments: [
            ("App key hush-hush-1 does not exist", "App key (secret) does not exist"),
            ("/app/hush-hush-1", "/app/(secret)"), ("key 'QUJD/RA+x==':", "key '(secret)':"),
            ("auth_key=hush-hush-1&auth_timestamp=1", "auth_key=(secret)&auth_timestamp=1"),
            ("hush-hush-1", "(secret)"), ("hush-hush-12 hush-hush-", "hush-hush-12 hush-hush-"),
            ("short words stay, é too\n", "short words stay, é too\n"), ("", ""),
            ("key \(long.prefix(40)) here", "key (secret) here"), ("'\(long.prefix(64))'", "'(secret)'"),
            (long, "(secret)"),
        ])
        func areReplaced(_ text: String, _ expected: String) { #expect(filter.redacted(text) == expected) }
    }
#endif
