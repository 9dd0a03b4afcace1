// Every house rule, applied to the whole repository.
import Foundation
import Telemetry
import Testing

@Suite struct TidyTests {
    @Test(arguments: Shape.rules + Words.rules) func holds(_ rule: Rule) {
        // The rules about words are full of the words, and their tests of what breaks them.
        let files = SourceTree.written.filter { !$0.path.hasPrefix("Tests/TidyTests/") }
        let violations = rule.violations(in: files)
        #expect(violations.isEmpty, "\n\(violations.map(\.description).joined(separator: "\n"))")
    }

    @Test(arguments: Shape.rules) func holdsHereToo(_ rule: Rule) {
        let files = SourceTree.written.filter { $0.path.hasPrefix("Tests/TidyTests/") }
        let violations = rule.violations(in: files)
        #expect(violations.isEmpty, "\n\(violations.map(\.description).joined(separator: "\n"))")
    }

    @Test func theTopHoldsOnlyWhatTheHousePlanSays() {
        let allowed: Set<String> = [
            "Package.swift", "Sources", "Tests", "openapi.yaml", "docker", "README.md",
            "ARCHITECTURE.md", "LICENSE", "Makefile", "CHANGELOG.md", "codegen", ".ci",
            ".gitignore", ".swift-format",
        ]
        let top = Set(
            SourceTree.paths.compactMap { $0.split(separator: "/").first.map(String.init) })
        #expect(top.subtracting(allowed).sorted() == [])
    }

    @Test func arrowsPointDown() throws {
        let manifest = Manifest(try SourceTree.text("Package.swift"))
        #expect(manifest.targets.count > 10, "the manifest is not read as it is written")
        #expect(manifest.violations() == [])
        #expect(manifest.unused(in: SourceTree.swift) == [])
    }

    // A test's target is named by what it tests, and one that others share stands with them.
    @Test func theArchitectureNamesEveryTarget() throws {
        let manifest = Manifest(try SourceTree.text("Package.swift"))
        let targets = Set(manifest.targets.filter { !$0.isTest }.map(\.name))
        let text = try SourceTree.text("ARCHITECTURE.md")
        let section = text.components(separatedBy: "\n## Targets\n").last ?? ""
        let rows = section.components(separatedBy: "\n## ")[0].split(separator: "\n")
            .filter { $0.hasPrefix("| `") }
        let named = rows.flatMap { row in
            row.split(separator: "|")[0].matches(of: /`([^`]+)`/).map { String($0.1) }
        }
        #expect(named.count == Set(named).count)
        #expect(targets.subtracting(named).sorted() == [], "not in ARCHITECTURE.md")
        #expect(Set(named).subtracting(targets).sorted() == [], "not in Package.swift")
    }

    @Test func noFileIsLeftFromLoadingThePackage() {
        let names = SourceTree.paths.filter { $0.hasSuffix("/Placeholder.swift") }
        #expect(names == [])
    }

    @Test func metricsInTheDocsAreTheMetricsInTheCode() throws {
        let rows = MetricTable.rows(in: try SourceTree.text("docker/metrics.md"))
        let differences = MetricTable.differences(docs: rows, code: MetricTable.fromCode)
        #expect(differences == [])
    }

    @Test(arguments: SourceTree.paths.filter { $0.hasPrefix("docker/") })
    func monitoringSpeaksOnlyOfMetricsThatExist(_ path: String) throws {
        let unknown = MetricTable.unknownNames(
            in: try SourceTree.text(path), code: MetricTable.fromCode)
        #expect(unknown == [], "\(path)")
    }

    @Test func everyMetricIsFed() {
        let catalogue = "Sources/Telemetry/Catalogue.swift"
        let declared = SourceTree.swift.first { $0.path == catalogue }?.lines.compactMap {
            $0.firstMatch(of: /static let (\w+) = Metric\(/).map { String($0.1) }
        }
        let users = SourceTree.swift.filter { $0.isSource && $0.path != catalogue }
            .flatMap(\.code).joined(separator: "\n")
        let unfed = (declared ?? []).filter { name in
            users.firstRange(of: ".\(name),") == nil
                && users.firstRange(of: "Metric.\(name)") == nil
        }
        #expect(declared?.count == Metric.all.count)
        #expect(unfed == [])
    }
}
