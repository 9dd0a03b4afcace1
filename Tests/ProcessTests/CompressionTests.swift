// gzip between a real client and a real node: HTTP/1.1, HTTP/2, and both over TLS.
import Foundation
import ProcessSupport
import Testing

@Suite struct CompressionTests {
    private func ask(_ arguments: [String]) throws -> Program.Outcome {
        var program = try Tool.system("curl", package: "curl")
        program.arguments = ["--silent", "--show-error", "--max-time", "20"] + arguments
        return try program.run(within: .seconds(30))
    }

    private func checks(_ url: String, _ folder: URL, _ options: [String]) throws {
        let sent = folder.appending(path: "batch.gz").path
        let operations = (0..<300).map { "{\"op\":\"put\",\"key\":\"k\($0)\",\"value\":\"same\"}" }
        let text = folder.appending(path: "batch")
        try Data("{\"ops\":[\(operations.joined(separator: ","))]}".utf8).write(to: text)
        let gzip = try Tool.system("gzip", package: "gzip", "-9kf", text.path)
        #expect(try gzip.run().status == 0)
        let json = ["-H", "content-type: application/json"]
        let coded = ["-H", "content-encoding: gzip", "--data-binary", "@\(sent)"]
        let written = try ask(options + json + coded + ["\(url)/v1/raw/batch"])
        #expect(written.text.contains("\"failed\":0"), "\(written.text)\(written.messages)")
        // The same page three ways: as it is, undone by curl, and as it was on the wire.
        let page = "\(url)/v1/raw/scan?limit=300"
        let plain = try ask(options + [page])
        let undone = try ask(options + ["--compressed", "-D", "-", page])
        let count = ["-o", "/dev/null", "-w", "%{size_download}"]
        let bytes = try ask(options + ["--compressed"] + count + [page]).text
        #expect(plain.output.count > 8_000)
        #expect(try #require(Int(bytes)) * 3 < plain.output.count, "\(bytes)")
        #expect(undone.text.hasSuffix(plain.text))
        #expect(undone.text.contains("content-encoding: gzip"), "\(undone.text)")
        #expect(undone.text.contains("vary: accept, accept-encoding"))
        for path in ["/metrics", "/openapi.json", "/openapi.yaml"] {
            let fields = ["--compressed", "-D", "-", "-o", "/dev/null", url + path]
            let answer = try ask(options + fields).text
            #expect(answer.contains("content-encoding: gzip"), "\(path): \(answer)")
        }
        // A value is the client's: never coded, and never taken coded.
        let value = "\(url)/v1/raw/kv/value"
        #expect(try ask(options + ["-T", text.path, value]).text.contains("etag"))
        let read = try ask(options + ["--compressed", "-D", "-", value])
        #expect(!read.text.contains("content-encoding"))
        let refused = try ask(options + ["-D", "-", "-X", "PUT"] + coded + [value])
        #expect(refused.text.contains("415") && refused.text.contains("accept-encoding: identity"))
    }

    @Test func inClear() throws {
        try withNode { _, url, folder in
            try checks(url, folder, ["--http1.1"])
            try checks(url, folder, ["--http2-prior-knowledge"])
        }
    }

    @Test func overTLS() throws {
        try withFolder { folder in
            let pair = try TestCertificate(in: folder)
            let node = try Program(
                "serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--tls-cert", "node.crt",
                "--tls-key", "node.key"
            ).in(folder).start()
            defer { node.kill() }
            let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            let url = String(try #require(line.firstMatch(of: /"base":"([^"]+)"/)?.1))
                .replacing("\\/", with: "/")
            try checks(url, folder, ["--http1.1", "--cacert", pair.certificate])
            try checks(url, folder, ["--http2", "--cacert", pair.certificate])
        }
    }
}
