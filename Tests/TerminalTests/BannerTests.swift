// The banner of a node that is ready: its lines, and that there are never more than twelve.
import Terminal
import Testing

@Suite struct BannerTests {
    private func banner(urls: [String], certificate: String? = nil) -> Banner {
        Banner(
            program: "Martlet 0.1.0 (Swift 6.3, linux x86_64)", cluster: "\"tidy-heron\" 7f3a",
            data: "/home/ann/martlet-data", dataState: "new (created now)",
            memoryBound: "6.3 GiB", urls: urls,
            certificate: certificate, readyAfter: .milliseconds(38),
            exposure: "Only this machine can reach it, and nobody needs a password.")
    }

    @Test func golden() {
        #expect(
            banner(urls: ["http://127.0.0.1:7171"]).lines.joined(separator: "\n") == """
                Martlet 0.1.0 (Swift 6.3, linux x86_64)   cluster "tidy-heron" 7f3a
                  data     /home/ann/martlet-data    new (created now)
                  memory   the store stays below 6.3 GiB
                  api      http://127.0.0.1:7171     metrics: /metrics   contract: /openapi.yaml
                  ready after 38 ms. Try:
                    curl -X PUT http://127.0.0.1:7171/v1/raw/kv/hello -d world   # store
                    curl http://127.0.0.1:7171/v1/raw/kv/hello                   # read
                    curl 'http://127.0.0.1:7171/v1/raw/scan?limit=10'            # list
                  Only this machine can reach it, and nobody needs a password. Ctrl-C stops it.
                """)
    }

    @Test(arguments: 1...9)
    func atMostTwelveLines(count: Int) {
        let urls = (1...count).map { "https://10.0.0.\($0):7171" }
        let lines = banner(urls: urls, certificate: "node.crt").lines
        #expect(lines.count <= 12)
        #expect(lines.contains { $0.contains("curl --cacert node.crt https://10.0.0.1:7171/") })
    }
}
