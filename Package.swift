// swift-tools-version: 6.2
import PackageDescription

/// Settings every target of ours is built with: Swift 6 mode, warnings as errors, unsafe code marked as such.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
]
let sourceSettings = strict + [.strictMemorySafety()]

/// A target of `Sources/<group>/<name>`.
func source(_ name: String, in group: String, _ dependencies: [Target.Dependency]) -> Target {
    let folder = group.isEmpty ? "Sources/\(name)" : "Sources/\(group)/\(name)"
    return .target(name: name, dependencies: dependencies, path: folder, swiftSettings: sourceSettings)
}

/// The unit tests of one source target, in the mirrored folder of `Tests`.
func tests(of name: String, in group: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [])
    -> Target
{
    let folder = group.isEmpty ? "Tests/\(name)Tests" : "Tests/\(group)/\(name)Tests"
    return .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name)] + dependencies,
        path: folder,
        resources: resources,
        swiftSettings: strict
    )
}

func systemLibrary(_ name: String, pkgConfig: String?, apt package: String) -> Target {
    .systemLibrary(
        name: name,
        path: "Sources/CLibraries/\(name)",
        pkgConfig: pkgConfig,
        providers: [.apt([package])]
    )
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioHTTPTypesHTTP2: Target.Dependency = .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let collections: Target.Dependency = .product(name: "Collections", package: "swift-collections")

let package = Package(
    name: "timestream-gateway",
    products: [.executable(name: "timestream-gateway", targets: ["GatewayCommand"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    // In the order a request takes, socket to store: a target imports only what stands below it.
    targets: [
        .executableTarget(
            name: "GatewayCommand",
            dependencies: [
                "GatewayServer", "QueryExplaining", "StoreInspection", "TenantConfiguration", "Translator",
                "TimestreamModel", "Common", "CLinux", argumentParser, logging,
            ],
            path: "Sources/App/GatewayCommand",
            swiftSettings: sourceSettings
        ),
        source(
            "GatewayServer",
            in: "App",
            [
                "LambdaRuntime", "AdminConsole", "RequestHandling", "TenantAccess", "TenantConfiguration", "Translator",
                "TimestreamService", "TimestreamLocal", "CredentialProviders", "RequestSigning", "TimestreamModel",
                "HTTPServing", "TLSTransport", "UpstreamHTTP", "Common", logging, serviceLifecycle,
                unixSignals, httpTypes,
            ]
        ),
        source(
            "StoreInspection",
            in: "App",
            [
                "GatewayServer", "TenantConfiguration", "TimestreamService", "CredentialProviders", "RequestSigning",
                "TimestreamModel", "UpstreamHTTP", "Common", logging,
            ]
        ),
        source("LambdaRuntime", in: "App", ["TLSTransport", "UpstreamHTTP", "Common", httpTypes, logging]),
        source("AdminConsole", in: "App", ["Common", httpTypes]),
        source("QueryExplaining", in: "App", ["Translator", "TimestreamModel", "Common"]),
        source(
            "RequestHandling",
            in: "Gateway",
            ["TenantAccess", "TenantConfiguration", "Translator", "TimestreamModel", "Common", httpTypes, logging]
        ),
        source(
            "TenantAccess",
            in: "Gateway",
            ["TenantConfiguration", "Common", "COpenSSL", "CCrypt", httpTypes, collections]
        ),
        source("TenantConfiguration", in: "Gateway", ["Common", "CYAML", "COpenSSL"]),
        source("Translator", in: "", ["RegularExpressions", "TimestreamModel", "Common", "CSnappy"]),
        source("RegularExpressions", in: "", ["Common"]),
        source(
            "TimestreamService",
            in: "Timestream",
            ["CredentialProviders", "TimestreamModel", "RequestSigning", "UpstreamHTTP", "Common", logging]
        ),
        source(
            "CredentialProviders",
            in: "Timestream",
            ["TimestreamModel", "RequestSigning", "UpstreamHTTP", "Common", logging]
        ),
        source(
            "TimestreamLocal",
            in: "Timestream",
            [
                "RegularExpressions", "TimestreamModel", "RequestSigning", "Common", "CSQLite", httpTypes, logging,
            ]
        ),
        source("RequestSigning", in: "Timestream", ["Common", "COpenSSL"]),
        source("TimestreamModel", in: "Timestream", ["Common"]),
        source(
            "HTTPServing",
            in: "Network",
            [
                "TLSTransport", "Common", nioCore, nioPosix, nioHTTP1, nioTLS, nioHTTP2, nioHTTPTypes,
                nioHTTPTypesHTTP1, nioHTTPTypesHTTP2, httpTypes, logging,
            ]
        ),
        source("TLSTransport", in: "Network", ["Common", "COpenSSL", nioCore, nioTLS]),
        source("UpstreamHTTP", in: "Network", ["Common", "CCurl"]),
        source("Common", in: "", ["COpenSSL", "CLinux", httpTypes, logging]),

        systemLibrary("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        systemLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        systemLibrary("CSnappy", pkgConfig: "snappy", apt: "libsnappy-dev"),
        systemLibrary("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
        systemLibrary("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        systemLibrary("CCrypt", pkgConfig: "libcrypt", apt: "libcrypt-dev"),
        .systemLibrary(name: "CLinux", path: "Sources/CLibraries/CLinux"),

        // What several test targets share: processes, sockets, certificates made on the spot.
        .target(name: "TestSupport", dependencies: ["Common", logging], path: "Tests/Support", swiftSettings: strict),
        tests(
            of: "LambdaRuntime",
            in: "App",
            ["TestSupport", "TLSTransport", "UpstreamHTTP", "Common", httpTypes, logging],
            resources: [.copy("Events")]
        ),
        tests(of: "AdminConsole", in: "App", ["Common", httpTypes]),
        tests(of: "StoreInspection", in: "App", ["TenantConfiguration", "TimestreamModel", "Common", "TestSupport"]),
        tests(of: "QueryExplaining", in: "App", ["Translator", "TimestreamModel", "TestSupport"]),
        tests(
            of: "RequestHandling",
            in: "Gateway",
            [
                "TenantAccess", "TenantConfiguration", "Translator", "TimestreamModel", "Common", httpTypes, logging,
            ]
        ),
        tests(of: "TenantAccess", in: "Gateway", ["TenantConfiguration", "Common", httpTypes]),
        tests(of: "TenantConfiguration", in: "Gateway", ["Common", "TestSupport"], resources: [.copy("Cases")]),
        tests(
            of: "Translator",
            in: "",
            ["RegularExpressions", "TimestreamModel", "Common", "TestSupport"],
            resources: [.copy("Histograms/Vectors")]
        ),
        tests(of: "RegularExpressions", in: "", ["TestSupport"], resources: [.copy("Vectors")]),
        tests(
            of: "TimestreamService",
            in: "Timestream",
            [
                "CredentialProviders", "TimestreamModel", "RequestSigning", "UpstreamHTTP", "Common", "TestSupport",
                logging,
            ],
            resources: [.copy("timestream_oracle.py")]
        ),
        tests(
            of: "CredentialProviders",
            in: "Timestream",
            ["TimestreamModel", "RequestSigning", "UpstreamHTTP", "Common", "TestSupport", logging],
            resources: [.copy("credentials_oracle.py")]
        ),
        tests(
            of: "TimestreamLocal",
            in: "Timestream",
            ["RegularExpressions", "TimestreamModel", "RequestSigning", "Common", "TestSupport", httpTypes, logging]
        ),
        tests(
            of: "RequestSigning",
            in: "Timestream",
            ["Common", "TestSupport"],
            resources: [.copy("signing_oracle.py")]
        ),
        tests(of: "TimestreamModel", in: "Timestream", ["Common"]),
        tests(
            of: "HTTPServing",
            in: "Network",
            [
                "TestSupport", "TLSTransport", "Common", nioCore, nioPosix, nioEmbedded, nioHTTP1, nioHTTP2, httpTypes,
                logging,
            ]
        ),
        tests(of: "TLSTransport", in: "Network", ["TestSupport", "Common", nioCore, nioPosix, nioEmbedded]),
        tests(of: "UpstreamHTTP", in: "Network", ["Common", "TestSupport"]),
        tests(of: "Common", in: "", ["TestSupport", logging, httpTypes]),
    ]
)

// The benchmarks use the product's own modules, so they cannot be a package of their own; other builds leave them out.
if Context.environment["GATEWAY_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "GatewayBenchmarks",
            dependencies: [
                "GatewayServer", "TenantConfiguration", "Translator", "TimestreamModel", "HTTPServing", "UpstreamHTTP",
                "Common", httpTypes, logging, nioPosix,
            ],
            path: "Benchmarks/GatewayBenchmarks",
            swiftSettings: strict
        )
    )
}

// So does fuzzing, whose entry point and sanitizer must not touch the ordinary build: see scripts/fuzz.
if Context.environment["GATEWAY_FUZZING"] != nil {
    package.targets.append(
        .executableTarget(
            name: "GatewayFuzzing",
            dependencies: [
                "TenantConfiguration", "Translator", "RegularExpressions", "TimestreamService", "TimestreamLocal",
                "TimestreamModel", "Common",
            ],
            path: "Fuzz/GatewayFuzzing",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]
        )
    )
}
