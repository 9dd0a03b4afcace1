// Both formats of /metrics, as promtool and an OpenMetrics parser read them.
import Foundation
import ProcessSupport
import Testing

@Suite struct MetricsFormatTests {
    private static let openMetrics = "Accept: application/openmetrics-text;version=1.0.0"

    @Test func bothFormatsAreClean() throws {
        try RecordedNode.run { node in
            for index in 0..<20 {
                _ = try Tool.curl(
                    "--upload-file", "/etc/hostname", "\(node.url)/v1/raw/kv/\(index)")
            }
            _ = try Tool.curl("\(node.url)/nowhere")
            let text = try Tool.curl("\(node.url)/metrics").output
            var promtool = try Tool.system("promtool", package: "prometheus", "check", "metrics")
            promtool.input = text
            let checked = try promtool.run()
            #expect(checked.status == 0 && checked.text.isEmpty, "\(checked.text)")
            #expect(checked.messages.isEmpty, "\(checked.messages)")

            let strict = try Tool.curl("--header", Self.openMetrics, "\(node.url)/metrics").output
            #expect(strict.suffix(6) == Data("# EOF\n".utf8))
            let files = ["text", "openmetrics"].map { node.folder.appending(path: $0) }
            try text.write(to: files[0])
            try strict.write(to: files[1])
            try Tool.succeed(
                Tool.python("openmetrics.py", files[0].path, files[1].path), within: .seconds(30))
        }
    }
}
