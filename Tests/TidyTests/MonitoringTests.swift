// What surrounds the node in docker/: alerts tried by promtool, each expression of the dashboard
// parsed by it, the compose file checked against the specification's schema.
import Foundation
import Testing

@Suite struct MonitoringTests {
    @Test(arguments: [
        ["check", "config", "prometheus.yml"], ["check", "rules", "martlet.rules.yml"],
        ["test", "rules", "martlet.rules.test.yml"],
    ])
    func promtoolAgrees(_ arguments: [String]) throws {
        let (status, said) = try run(["promtool"] + arguments, in: "docker/prometheus")
        #expect(status == 0, "\(said)")
    }

    @Test func everyAlertIsTested() throws {
        let rules = try SourceTree.text("docker/prometheus/martlet.rules.yml")
        let tests = try SourceTree.text("docker/prometheus/martlet.rules.test.yml")
        let names = rules.matches(of: /- alert: (\w+)/).map { String($0.1) }
        #expect(!names.isEmpty)
        for name in names {
            // With exp_alerts that are not empty: it was seen to fire.
            let fires = try Regex("alertname: \(name)\\n +exp_alerts:\\n")
            #expect(tests.contains(fires), "\(name) is never seen to fire")
        }
    }

    @Test func everyExpressionOfTheDashboardIsOne() throws {
        let text = try SourceTree.text("docker/grafana/dashboards/martlet.json")
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let panels = try #require((json as? [String: Any])?["panels"] as? [[String: Any]])
        let targets = panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }
        let expressions = targets.compactMap { $0["expr"] as? String }
        #expect(expressions.count > 20)
        // As recording rules, which are plain expressions once Grafana's variables have values.
        let rules = expressions.enumerated().map { index, expression in
            let plain = expression.replacing("$__rate_interval", with: "5m")
                .replacing("$job", with: "martlet").replacing("$instance", with: ".*")
            return ["record": "panel:\(index)", "expr": plain]
        }
        let groups = ["groups": [["name": "panels", "rules": rules]]] as [String: Any]
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).json")
        try JSONSerialization.data(withJSONObject: groups, options: .withoutEscapingSlashes).write(
            to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let (status, said) = try run(["promtool", "check", "rules", file.path], in: "docker")
        #expect(status == 0, "\(said)")
    }

    static let schemaChecker = SourceTree.root.appending(path: ".venv/bin/check-jsonschema")

    // `make test` installs the checker; a bare `swift test` may be without it.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: schemaChecker.path)))
    func theComposeFileKeepsToItsSchema() throws {
        let check = [Self.schemaChecker.path, "--builtin-schema", "vendor.compose-spec"]
        let (status, said) = try run(check + ["compose.yaml"], in: "docker")
        #expect(status == 0, "\(said)")
    }

    func run(_ command: [String], in folder: String) throws -> (status: Int32, said: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = SourceTree.root.appending(path: folder)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}
