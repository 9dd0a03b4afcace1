// Schemathesis makes requests of openapi.yaml, right ones and wrong ones, and judges the answers.
import Foundation
import ProcessSupport
import Testing

@Suite struct SchemathesisTests {
    /// Seeded and bounded in Tests/Contract/schemathesis.toml; what is let pass, and why, is in
    /// schemathesis_hooks.py beside it.
    ///
    /// Without failpoints: a random one would break the node under test.
    @Test func allChecksPass() throws {
        try RecordedNode.run { node in
            let program = try Tool.python(
                tool: "schemathesis", "--config-file", "Tests/Contract/schemathesis.toml", "run",
                "openapi.yaml", "--url", node.url, "--checks", "all", "--no-color",
                "--generation-database", "none", "--exclude-path-regex", "^/v1/debug/"
            ).with("PYTHONDONTWRITEBYTECODE", "1")
            let outcome = try program.run(within: .seconds(240))
            #expect(outcome.status == 0, "\(outcome.text.suffix(20_000))\(outcome.messages)")
        }
    }
}
