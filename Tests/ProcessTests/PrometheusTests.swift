// A real Prometheus scrapes a real node, and promtool reads what it would read.
import Foundation
import ProcessSupport
import Testing

@Suite struct PrometheusTests {
    /// What a query answers: each series' labels, and its value.
    private struct Answer: Decodable {
        struct Content: Decodable {
            var result: [Series]
        }
        struct Series: Decodable {
            var metric: [String: String]
            var value: [Value]
        }
        /// A time or a number in quotes.
        enum Value: Decodable {
            case time(Double)
            case number(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let time = try? container.decode(Double.self) {
                    self = .time(time)
                } else {
                    self = .number(try container.decode(String.self))
                }
            }
        }
        var data: Content
    }

    @Test func promtoolHasNothingToSay() throws {
        try RecordedNode.run { node in
            let (url, folder) = (node.url, node.folder)
            #expect(try Program("put", "a", "1", "--url", url).run().status == 0)
            let command = "curl -sf \(url)/metrics > text && promtool check metrics < text"
            let outcome = try bash(command, in: folder).run()
            #expect(outcome.status == 0, "\(outcome.text)\(outcome.messages)")
        }
    }

    /// The other tests compare the table with the code; this one with what a node really shows.
    @Test func aNodeShowsEveryMetricOfTheTableAndNoOther() throws {
        try withFolder { folder in
            let certificate = try TestCertificate(in: folder)
            let node = try Program(
                "serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--tls-cert", "node.crt",
                "--tls-key", "node.key"
            ).in(folder).start()
            defer { node.kill() }
            let ready = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            let url = try #require(ready.firstMatch(of: /"base":"([^"]+)"/)?.1)
            func get(_ path: String) throws -> String {
                try Tool.curl("--cacert", certificate.certificate, url + path).text
            }
            // The series of a route begin with its first request, those of an error likewise.
            #expect(try get("/v1/raw/kv/none").contains("key_not_found"))
            let shown = try get("/metrics").matches(of: #/(?m)^\# TYPE (\w+) /#).map { $0.1 }
            let table = try String(
                contentsOf: Tool.root.appending(path: "docker/metrics.md"), encoding: .utf8)
            let listed = table.matches(of: /(?m)^\| `(\w+)` \|/).map { $0.1 }
            #expect(listed.count > 40)
            #expect(shown.sorted() == listed.sorted())
        }
    }

    @Test func prometheusScrapesANode() throws {
        try RecordedNode.run { node in
            let (url, folder) = (node.url, node.folder)
            #expect(try Program("put", "a", "1", "--url", url).run().status == 0)
            let target = url.replacing("http://", with: "")
            try Data(
                """
                global: {scrape_interval: 200ms}
                scrape_configs: [{job_name: martlet, static_configs: [{targets: ["\(target)"]}]}]

                """.utf8
            ).write(to: folder.appending(path: "prometheus.yml"))
            let port = try LocalSocket.freePort()
            let prometheus = try bash(
                """
                exec prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb \
                --web.listen-address=127.0.0.1:\(port)
                """, in: folder
            ).start()
            defer { prometheus.kill() }
            func query(_ expression: String) throws -> [Answer.Series] {
                let outcome = try bash(
                    """
                    curl -sG http://127.0.0.1:\(port)/api/v1/query \
                    --data-urlencode 'query=\(expression)'
                    """, in: folder
                ).run()
                // Not listening yet, or still starting up.
                guard let answer = try? JSONDecoder().decode(Answer.self, from: outcome.output)
                else { return [] }
                return answer.data.result
            }
            let scraped = poll(.seconds(30)) {
                (try? query("martlet_kv_operations_total{op=\"put\",result=\"ok\"} == 1"))?.count
                    == 1
            }
            #expect(scraped, "\(prometheus.messages)")
            #expect(try query("up{job=\"martlet\"} == 1").count == 1)
            #expect(try query("martlet_build_info == 1").count == 1)
            #expect(try query("martlet_wal_fsync_duration_seconds_count >= 1").count == 1)
            // It asked for OpenMetrics and got it: the type of a counter is known by its family.
            let metadata = "127.0.0.1:\(port)/api/v1/targets/metadata?metric=process_cpu_seconds"
            let type = try bash("curl -sf '\(metadata)'", in: folder).run().text
            #expect(type.contains("\"type\":\"counter\""), "\(type)")
        }
    }

    private func bash(_ command: String, in folder: URL) -> Program {
        var program = Program("-c", command).in(folder)
        program.executable = URL(filePath: "/bin/bash")
        return program
    }
}
