// The front on real sockets, spoken to by curl: the protocols as a user meets them.
import Base
import Foundation
import HTTP
import Testing

@Suite struct FrontSocketTests {
    private struct Outcome {
        var status: Int32
        var output: Data
    }

    private func curl(_ arguments: [String], input: Data = Data()) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["curl", "-s", "--max-time", "60"] + arguments
        let (output, toCurl) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardInput = toCurl
        try process.run()
        try toCurl.fileHandleForWriting.write(contentsOf: input)
        try toCurl.fileHandleForWriting.close()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, output: bytes)
    }

    @Test(arguments: [
        ("--http1.0", "1.0"), ("--http1.1", "1.1"), ("--http2-prior-knowledge", "2"),
        ("--http2", "2"),
    ])
    func curlIsServed(option: String, version: String) throws {
        let front = try LiveFront()
        let root = "http://127.0.0.1:\(front.port)"
        let shown = ["-w", " %{http_version} %{http_code}"]
        let get = try curl([option, "\(root)/a"] + shown)
        // curl names the version of the server's status line, and that is never 1.0.
        let expected = version == "1.0" ? "1.1" : version
        #expect(String(decoding: get.output, as: UTF8.self) == "GET /a \(expected) 200")
        let big = try curl([option, "\(root)/big"])
        #expect(big.status == 0, "\(big.output.count) bytes came")
        #expect(big.output == Data(repeating: 0x42, count: 4 << 20))
        let body = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let put = try curl(
            [option, "-X", "PUT", "--data-binary", "@-", "\(root)/up"], input: body)
        #expect(put.output == Data("PUT /up".utf8) + body)
        let head = try curl([option, "-I", "\(root)/a"])
        #expect(head.status == 0)
        let foreign = try curl([option, "-H", "Host: evil.example", "\(root)/a"] + shown)
        #expect(String(decoding: foreign.output, as: UTF8.self).hasSuffix(" 421"))
        try front.drain()
    }

    /// The connection lingers instead of resetting, which would throw the refusal away.
    @Test(arguments: [false, true])
    func aRefusalReachesAClientThatGoesOnSending(overTLS: Bool) throws {
        let files = try TestFiles()
        let paths = try files.write("server", TestCertificate())
        let tls = try TLSAcceptor(
            .init(certificate: paths.certificate, key: paths.key), now: wallTime())
        let front = try LiveFront(tls: overTLS ? tls : nil)
        let body = Data(repeating: 1, count: Limits.bodyBytes + 5_000_000)
        let put = try curl(
            [
                "-k", "--http1.1", "-H", "Expect:", "--data-binary", "@-", "-X", "PUT",
                "-w", " %{http_code}", "\(overTLS ? "https" : "http")://127.0.0.1:\(front.port)/up",
            ], input: body)
        #expect(String(decoding: put.output, as: UTF8.self).hasSuffix(" 413"))
        try front.drain()
    }
}
