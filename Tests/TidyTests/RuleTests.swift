// Each rule is shown to catch what it is there for, and to leave alone what only looks like it.
import Telemetry
import Testing

@Suite struct RuleTests {
    struct Plant: Sendable, CustomTestStringConvertible {
        var rule: Rule
        var path: String
        var text: String

        init(_ rule: Rule, _ path: String, _ text: String) {
            self.rule = rule
            self.path = path
            self.text = text
        }

        var testDescription: String { "\(rule.name): \(text.prefix(60))" }
    }

    static let pure = "Sources/Regions/File.swift"
    static let host = "Sources/Runtime/File.swift"
    static let test = "Tests/RegionsTests/File.swift"

    static let caught: [Plant] = [
        Plant(Shape.lineLength, pure, String(repeating: "é", count: 101)),
        Plant(Shape.fileLength, pure, String(repeating: "x\n", count: 401)),
        Plant(Shape.functionLength, pure, function(lines: 71)),
        Plant(Shape.functionLength, pure, "struct S {\n" + function(lines: 71) + "\n}"),
        Plant(Shape.functionLength, pure, function(lines: 71, "init(a: Int)")),
        Plant(Shape.functionLength, pure, function(lines: 71, "func f(\n    a: Int\n) -> Int")),
        Plant(Shape.openingComment, pure, "import Base\n"),
        Plant(Shape.openingComment, pure, "// not a doc comment\n"),
        Plant(Shape.openingComment, test, "import Testing\n"),
        Plant(Shape.openingComment, pure, ""),
        Plant(Shape.openingComment, "Sources/C/shim.h", "#pragma once\n"),
        Plant(Shape.noTypeNamedLikeItsModule, pure, "package struct Regions {}"),
        Plant(Shape.noTypeNamedLikeItsModule, pure, "enum Regions {}"),
        Plant(Shape.plainNames, host, "final class ConnectionManager {}"),
        Plant(Shape.plainNames, host, "enum StringUtils {}"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let now = ContinuousClock().now"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let x = Int.random(in: 0...3)"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let x = keys.shuffled()"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let x = keys.randomElement()"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "func f() async {}"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "actor A {}"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "Task { f() }"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let m = Mutex(0)"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let d = Date()"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let d = \"\\(Date())\""),
        Plant(Words.noFoundation, pure, "import Foundation"),
        Plant(Words.noFoundation, pure, "package import FoundationEssentials"),
        Plant(Words.noFoundation, pure, "internal import NIOCore"),
        Plant(Words.noFoundation, pure, "private import Glibc"),
        Plant(Words.noFloatingPoint, pure, "let ratio: Double = 0.5"),
        Plant(Words.noUnorderedHash, pure, "let slot = key.hashValue % 4"),
        Plant(Words.noUnfinishedWork, test, "// TODO: the rest"),
        Plant(Words.noUnfinishedWork, host, "/// A stub."),
        Plant(Words.noUnfinishedWork, host, "return 0  // For now."),
        Plant(Words.noSwallowedErrors, host, "try? file.close()"),
        Plant(Words.noSwallowedErrors, host, "do { try f() } catch {}"),
        Plant(Words.noSwallowedErrors, host, "do {\n    try f()\n} catch {\n}\n"),
        Plant(Words.noSwallowedErrors, host, "} catch let error as E {\n    // ignored\n}"),
        Plant(Words.noForcedTry, host, "let x = try! f()"),
        Plant(Words.unsafeIsExplained, host, "final class A: @unchecked Sendable {}"),
        Plant(Words.unsafeIsExplained, host, "nonisolated(unsafe) var a = 0"),
        Plant(Words.packageAccessOnly, pure, "public struct A {}"),
        Plant(Words.packageAccessOnly, pure, "public static func f() {}"),
        Plant(Words.packageAccessOnly, test, "@testable import Base"),
        Plant(Words.noPrinting, host, "print(\"here\")"),
        Plant(Words.noMachinePaths, test, "let root = \"/work/" + "trees\""),
    ]

    static let spared: [Plant] = [
        Plant(Shape.lineLength, pure, String(repeating: "é", count: 100)),
        Plant(Shape.fileLength, pure, String(repeating: "x\n", count: 400)),
        Plant(Shape.functionLength, pure, function(lines: 70)),
        Plant(
            Shape.functionLength, pure,
            "protocol P {\n    func f()\n}\nextension P {\n" + String(repeating: "x\n", count: 99)
                + "}"),
        Plant(
            Shape.functionLength, pure,
            "func f() { let a = \"{{{\" /* { */ }  // {\n" + String(repeating: "x\n", count: 99)),
        Plant(Shape.openingComment, test, "// What it is.\n"),
        Plant(Shape.openingComment, ".ci/run", "#!/bin/sh\n"),
        Plant(Shape.noTypeNamedLikeItsModule, pure, "struct RegionsTable {}"),
        Plant(Shape.plainNames, host, "struct Utility {}"),
        Plant(Words.noClockNoChanceNoWaiting, host, "let now = ContinuousClock().now"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "// reads no Date() and no Task"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let text = \"Date() async\""),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let x = Int.random(in: 0...3, using: &g)"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "Int.random(\n    in: 0...3,\n    using: &g)"),
        Plant(Words.noClockNoChanceNoWaiting, pure, "let candidate = f()"),
        Plant(Words.noFoundation, host, "import Foundation"),
        Plant(Words.noFoundation, "Sources/Base/CompareBytes.swift", "private import Glibc"),
        Plant(Words.noFloatingPoint, "Sources/Telemetry/File.swift", "let ratio: Double = 0.5"),
        Plant(Words.noUnorderedHash, pure, "func hash(into hasher: inout Hasher) {}"),
        Plant(Words.noUnfinishedWork, host, "let stubborn = 1  // for nowhere"),
        Plant(Words.noSwallowedErrors, test, "try? f()"),
        Plant(Words.noSwallowedErrors, host, "let entry: Entry? = f()"),
        Plant(Words.noSwallowedErrors, host, "// Closing twice is no harm.\ntry? f()"),
        Plant(Words.noSwallowedErrors, host, "try? f()  // Closing twice is no harm."),
        Plant(Words.noSwallowedErrors, host, "do { try f() } catch { log(error) }"),
        Plant(
            Words.unsafeIsExplained, host, "// One thread only.\nclass A: @unchecked Sendable {}"),
        Plant(Words.packageAccessOnly, pure, "package struct A { var publicName = 1 }"),
        Plant(Words.noPrinting, "Sources/martlet/File.swift", "print(\"here\")"),
        Plant(Words.noPrinting, host, "fingerprint(key)"),
        Plant(Words.noMachinePaths, pure, "// from network/work/ to /v1/raw/kv"),
        Plant(Words.noMachinePaths, pure, "/home/ann/martlet-data"),
    ]

    @Test(arguments: caught) func catches(_ plant: Plant) {
        #expect(plant.rule.finds(plant.path, plant.text))
    }

    @Test(arguments: spared) func spares(_ plant: Plant) {
        let found = plant.rule.check(SourceText(path: plant.path, plant.text))
        #expect(found.isEmpty, "\(found)")
    }

    @Test func everyRuleIsShownToCatchSomething() {
        let shown = Set(Self.caught.map(\.rule.name))
        for rule in Shape.rules + Words.rules { #expect(shown.contains(rule.name), "\(rule.name)") }
    }

    @Test func stringsAndCommentsAreNoCode() {
        let source = """
            a /* b /* c */ d */ e "f \\" \\(g("h")) i" j // k
            #"l \\#(m) \\(n)"# o \"""
            p "q" \\(r)
            \""" s
            """
        let text = SourceText(path: pure(), source)
        let code = text.code.joined().filter(\.isLetter)
        #expect(code == "aegjmors")
        #expect(text.comments.joined().filter(\.isLetter) == "bcdk")
        #expect(text.code.map(\.utf8.count) == text.lines.map(\.utf8.count))
    }

    @Test func anArrowThatPointsUpIsCaught() {
        let manifest = Manifest(
            """
            products: [.executable(name: "martlet", targets: ["martlet"])],
            targets: [
                .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["x"])]),
                library("Base"),
                library("Regions", ["Base", "API"]),
                library("API", ["Base"]),
                library("Attic", ["Base"]),
                library("HTTP", ["Node", .product(name: "Base", package: "x")]),
                library(
                    "Node", [
                        "Regions", nio("NIOCore"),
                    ]),
                tests(of: "Base", ["API"]),
                .target(name: "Suite", dependencies: ["API"], path: "Tests/Suite"),
            ]
            """)
        #expect(
            manifest.violations() == [
                "Regions depends on API", "Attic has no row in the house plan",
                "HTTP depends on Node",
            ])
        #expect(manifest.targets.map(\.line) == [3, 4, 5, 6, 7, 8, 9, 13, 14])
        let files = [
            SourceText(path: "Sources/Regions/A.swift", "package import Base\nimport API"),
            SourceText(path: "Sources/API/A.swift", "// import Base"),
            SourceText(path: "Sources/Attic/A.swift", "import struct Base.Key\nimport Base"),
            SourceText(path: "Sources/HTTP/A.swift", "internal import Node"),
        ]
        #expect(
            manifest.unused(in: files) == [
                "API declares Base and does not import it",
                "Node declares Regions and does not import it",
            ])
    }

    @Test func aMetricInOnePlaceOnlyIsCaught() {
        let docs = """
            | name | type | labels | what it tells |
            |---|---|---|---|
            | `martlet_a_total` | counter | `route` `code` | A. |
            | `martlet_b` | gauge | | B. |
            """
        let rows = MetricTable.rows(in: docs)
        let a = MetricTable.Row(
            name: "martlet_a_total", kind: "counter", labels: ["route", "code"])
        let b = MetricTable.Row(name: "martlet_b", kind: "gauge", labels: [])
        let c = MetricTable.Row(name: "martlet_c", kind: "histogram", labels: [])
        #expect(rows == [a, b])
        #expect(MetricTable.differences(docs: rows, code: [b, a]) == [])
        #expect(MetricTable.differences(docs: rows, code: [a, b, c]).count == 1)
        #expect(MetricTable.differences(docs: rows, code: [a]).count == 1)
        var changed = a
        changed.labels = ["route"]
        #expect(MetricTable.differences(docs: rows, code: [changed, b]).count == 2)
        let rules = "rate(martlet_c_bucket[5m]) / job:martlet_z:rate5m + martlet_b_sum + martlet_d"
        #expect(
            MetricTable.unknownNames(in: rules, code: [a, b, c]) == ["martlet_b_sum", "martlet_d"])
    }

    private func pure() -> String { Self.pure }

    private static func function(lines: Int, _ head: String = "func f(a: Int)") -> String {
        let rest = lines - head.split(separator: "\n").count - 1
        return "\(head) {\n" + String(repeating: "    a += 1\n", count: rest) + "}\n"
    }
}
