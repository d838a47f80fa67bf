// swift-tools-version: 6.2
import PackageDescription

// The modules of Starling and who may look into whom (Sources/ARCHITECTURE.md). A name that is missing from a row is a rule:
// CI builds with `--explicit-target-dependency-import-check error`.
let modules: [(name: String, mayImport: [String])] = [
    ("Wire", []),
    ("Telemetry", []),
    ("Arguments", []),
    ("Crypto", ["COpenSSL"]),
    ("Reactor", ["CLinux", "Telemetry"]),
    ("TLS", ["COpenSSL", "Reactor"]),
    ("PusherProtocol", ["Wire", "Crypto"]),
    ("BrokerCore", ["PusherProtocol", "Wire", "Crypto"]),
    ("Webhooks", ["BrokerCore", "PusherProtocol", "Reactor", "Crypto", "TLS", "Wire", "Telemetry", "CLinux"]),
    ("Configuration", ["Arguments", "BrokerCore", "PusherProtocol", "Telemetry", "Wire"]),
    (
        "BrokerServer",
        [
            "Configuration", "Webhooks", "BrokerCore", "PusherProtocol", "Reactor", "Crypto", "TLS", "Wire",
            "Telemetry",
            "CLinux",
        ]
    ),
]

/// Modules that live under `benchmarks/`.
let benchmarkModules: [(name: String, mayImport: [String])] = [
    ("LoadGenerator", ["Arguments", "PusherProtocol", "Reactor", "Crypto", "TLS", "Wire", "CLinux"])
]

let tests: [(name: String, mayImport: [String])] = [
    ("WireTests", ["Wire", "TestSupport"]),
    ("CryptoTests", ["Crypto", "Wire", "TestSupport"]),
    ("TelemetryTests", ["Telemetry"]),
    ("ArgumentsTests", ["Arguments", "TestSupport"]),
    ("ReactorTests", ["Reactor", "CLinux", "Telemetry", "TestSupport"]),
    ("TLSTests", ["TLS", "COpenSSL", "Reactor", "CLinux", "TestSupport"]),
    ("PusherProtocolTests", ["PusherProtocol", "Crypto", "Wire", "TestSupport"]),
    ("BrokerCoreTests", ["BrokerCore", "PusherProtocol", "Crypto", "Wire", "TestSupport"]),
    (
        "WebhooksTests",
        [
            "Webhooks", "BrokerCore", "CLinux", "Crypto", "PusherProtocol", "Reactor", "TLS", "Telemetry",
            "TestSupport", "Wire",
        ]
    ),
    (
        "BrokerServerTests",
        [
            "BrokerServer", "BrokerCore", "Configuration", "CLinux", "Crypto", "PusherProtocol", "Reactor",
            "TLS", "Telemetry", "TestSupport", "Webhooks", "Wire",
        ]
    ),
    ("ConfigurationTests", ["Configuration", "BrokerCore", "PusherProtocol", "Telemetry", "TestSupport", "Wire"]),
    ("LoadGeneratorTests", ["LoadGenerator", "Reactor", "TLS", "TestSupport"]),
]

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // What ships runs without dynamic exclusivity checks, which were 3,000 of a client event's 9,600 instructions. Debug builds
    // have them, so every Swift test, sanitizer run and fuzz target still looks.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// What ships uses neither regular expressions nor tasks, and what is imported is linked: 1.3 MB of the static executable.
let shipped: [SwiftSetting] =
    strict + [
        .unsafeFlags([
            "-Xfrontend", "-disable-implicit-string-processing-module-import",
            "-Xfrontend", "-disable-implicit-concurrency-module-import",
        ])
    ]

let package = Package(
    name: "starling",
    products: [.executable(name: "starling", targets: ["starling"])],
    targets: [
        .target(name: "CLinux"),
        .target(name: "CBuild"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .executableTarget(
            name: "starling",
            dependencies: ["BrokerServer", "Configuration", "LoadGenerator", "Reactor", "TLS", "CBuild"],
            swiftSettings: shipped),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .executableTarget(
            name: "Echo", dependencies: ["Reactor", "Wire", "Crypto"], path: "Tests/Echo", swiftSettings: strict),
    ]
        + modules.map { module in
            .target(
                name: module.name, dependencies: module.mayImport.map { .init(stringLiteral: $0) },
                swiftSettings: shipped)
        }
        + benchmarkModules.map { module in
            .target(
                name: module.name, dependencies: module.mayImport.map { .init(stringLiteral: $0) },
                path: "benchmarks/\(module.name)", swiftSettings: shipped)
        }
        + tests.map { suite in
            .testTarget(
                name: suite.name, dependencies: suite.mayImport.map { .init(stringLiteral: $0) },
                path: "Tests/\(suite.name)", swiftSettings: strict)
        }
)
