// swift-tools-version: 6.2
// The house plan: each target imports only targets declared further up in this file.
// ARCHITECTURE.md says what each one is for; the build refuses an import that is not declared here.
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// Debug builds can switch known bugs on, to show that the simulator finds them; release builds
/// cannot.
let mutable: [SwiftSetting] =
    strict + [.define("MARTLET_MUTATIONS", .when(configuration: .debug))]

/// The commit that is built, as the Makefile says it: a build of a tarball has none, and asking git
/// here would give what was true when SwiftPM last read this file.
let revision = (Context.environment["BUILD_REVISION"] ?? "").filter {
    $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0))
}

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.init(stringLiteral: name)] + dependencies,
        swiftSettings: strict)
}

let package = Package(
    name: "martlet",
    products: [.executable(name: "martlet", targets: ["martlet"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // C libraries, found by pkg-config.
        .systemLibrary(
            name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"])]),
        .systemLibrary(
            name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // simdjson is C++: a shim of our own gives it a C face.
        .target(name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),

        .target(
            name: "CBuild",
            cSettings: [
                .define("MARTLET_REVISION", to: "\"\(revision.isEmpty ? "unknown" : revision)\"")
            ]),

        // 9: keys, ranges, instants, randomness, cursors, limits, invariant().
        library("Base"),
        // 8: the names and scripts of failpoints, pure; then seams and small services.
        library("Failpoints", ["Base"]),
        library("Telemetry", ["Base"]),
        library("Storage", ["Base", collections]),
        library("Settings", ["Base", "Failpoints"]),
        library("Terminal", ["Base", log]),
        // 7: rules, pure.
        library("Raft", ["Base"], settings: mutable),
        // 6: replicated machines, pure.
        .target(
            name: "Regions", dependencies: ["Base", "Storage", "Raft", collections],
            exclude: ["Records/records.proto"], swiftSettings: strict),
        // 5: the client side of reads, scans and batches, pure.
        library("Coordination", ["Base", "Regions"]),
        // 4: requests to operations, outcomes to responses.
        .target(
            name: "API",
            dependencies: ["Base", "Failpoints", "Telemetry", "Storage", "Regions", "CSimdjson"],
            resources: [
                .embedInCode("Resources/openapi.yaml"), .embedInCode("Resources/openapi.json"),
            ], swiftSettings: strict),
        // The failpoints of a node with threads.
        library("Injection", ["Base", "Failpoints"]),
        // 3: the node as values, RocksDB, HTTP and TLS.
        library(
            "Node",
            [
                "Base", "Failpoints", "Telemetry", "Storage", "Raft", "Regions", "Coordination",
                "API", collections,
            ],
            settings: mutable),
        // What travels between two stores, and when they talk; pure.
        .target(
            name: "Peers", dependencies: ["Base", "Storage", "Raft", "Regions", "Node"],
            exclude: ["peers.proto"], swiftSettings: strict),
        library(
            "RocksStorage",
            ["Base", "Failpoints", "Injection", "Storage", "Raft", "Regions", "CRocksDB"]),
        library(
            "HTTP",
            [
                "Base", "Failpoints", "Injection", "API", "CNghttp2", "COpenSSL", "CZlib",
                collections, log, nio("NIOCore"), nio("NIOPosix"),
            ]),
        // 2: the hosts that execute effects.
        library(
            "Runtime",
            [
                "Base", "Failpoints", "Injection", "Telemetry", "Storage", "Settings", "Raft",
                "Regions", "API", "Node", "Peers", "RocksStorage", "HTTP", "CMalloc", log,
                collections, nio("NIOCore"), nio("NIOPosix"),
            ]),
        // `martlet bench` without its command line.
        library(
            "LoadGenerator",
            [
                "Base", "HTTP", collections, nio("NIOCore"), nio("NIOPosix"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        library(
            "Simulation",
            [
                "Base", "Failpoints", "Telemetry", "Storage", "Regions", "API", "Node", "Peers",
                collections,
            ],
            settings: mutable),
        // 1: the programs.
        .executableTarget(
            name: "martlet",
            dependencies: [
                "Base", "Failpoints", "Injection", "Settings", "Terminal", "Storage", "API",
                "Raft", "Regions", "RocksStorage", "HTTP", "LoadGenerator", "Runtime", "CBuild",
                log, nio("NIOCore"), nio("NIOPosix"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ], swiftSettings: strict),
        .executableTarget(
            name: "martlet-sim",
            dependencies: [
                "Base", "Failpoints", "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: mutable),

        // The suite that every storage engine passes.
        .target(
            name: "EngineSuite", dependencies: ["Base", "Storage"], path: "Tests/EngineSuite",
            swiftSettings: strict),
        // The suite that every store of Raft logs passes.
        .target(
            name: "LogSuite", dependencies: ["Base", "Storage", "Raft", "Regions"],
            path: "Tests/LogSuite", swiftSettings: strict),
        // The built program, started as a user would.
        .target(name: "ProcessSupport", path: "Tests/ProcessSupport", swiftSettings: strict),
        .testTarget(
            name: "ContractTests", dependencies: ["ProcessSupport", "martlet"],
            swiftSettings: strict),
        tests(of: "Storage", ["Base", "EngineSuite"]),
        tests(
            of: "RocksStorage",
            [
                "Base", "Failpoints", "Injection", "Storage", "Raft", "Regions", "EngineSuite",
                "LogSuite", "CRocksDB",
            ]),
        tests(of: "Base"),
        tests(of: "Failpoints", ["Base"]),
        tests(of: "Injection", ["Base", "Failpoints"]),
        tests(of: "Settings", ["Base", "Failpoints"]),
        .testTarget(
            name: "RaftTests", dependencies: ["Raft", "Base"], exclude: ["Scenarios"],
            swiftSettings: mutable),
        tests(of: "Terminal", ["Base", log]),
        .testTarget(
            name: "ProcessTests",
            dependencies: ["ProcessSupport", "martlet", "Base", "Failpoints"],
            swiftSettings: strict),
        // Three programs that are one cluster.
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "ProcessSupport", "martlet", "Base", "HTTP", "Peers", "Regions", "Simulation",
            ],
            swiftSettings: strict),
        // The program killed, stopped, starved of disk space and attacked.
        .testTarget(
            name: "DurabilityTests", dependencies: ["martlet", "Base", "HTTP"],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Simulation", "Base", "Failpoints", "Storage", "Raft", "Regions"],
            exclude: ["Scenarios"], swiftSettings: mutable),
        tests(of: "Regions", ["Base", "Storage", "Raft", "LogSuite"]),
        tests(of: "Coordination", ["Base", "Regions"]),
        tests(
            of: "Node",
            ["API", "Base", "Failpoints", "Regions", "Storage", "Telemetry", collections]),
        tests(
            of: "Runtime",
            [
                "Base", "Failpoints", "HTTP", "Injection", "Regions", "RocksStorage", "Storage",
                log, nio("NIOCore"),
            ]),
        tests(of: "Peers", ["Base", "Node", "Raft", "Regions", "Storage"]),
        tests(of: "Telemetry", ["Base"]),
        .testTarget(name: "TidyTests", dependencies: ["Telemetry"], swiftSettings: strict),
        tests(
            of: "HTTP",
            [
                "Base", "API", "Regions", "CNghttp2", "COpenSSL", "CZlib", nio("NIOCore"),
                nio("NIOPosix"), nio("NIOEmbedded"), nio("NIOHTTP1"),
            ]),
        .testTarget(
            name: "APITests", dependencies: ["API", "Base", "Regions", "Storage", "Telemetry"],
            exclude: ["Scenarios"], swiftSettings: strict),
        tests(
            of: "LoadGenerator",
            [
                "Base", "HTTP", nio("NIOCore"), nio("NIOPosix"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
    ],
    cxxLanguageStandard: .cxx17
)
