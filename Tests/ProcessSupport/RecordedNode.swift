// A node as a program, with a wire before it that keeps all that was said.
//
// At its end every answer that went over the wire is held against openapi.yaml, whatever the test
// itself looked at: Tests/Contract/tap.py records, check_exchanges.py judges.
package import Foundation
private import Testing

package struct RecordedNode {
    /// By way of the wire.
    package let url: String
    package let folder: URL
    private let node: RunningProgram
    private let tap: RunningProgram
    private let record: URL

    /// Runs a node in a folder of its own, calls `body`, ends it, and checks what was answered.
    package static func run(
        everyOperation: Bool = false, _ arguments: String...,
        body: (RecordedNode) throws -> Void
    ) throws {
        try withFolder { folder in
            let serve = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]
            let node = try Program(arguments: serve + ["--log-level", "info"] + arguments)
                .in(folder).start()
            defer { node.kill() }
            let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            let ready = try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let base = try #require(ready["base"] as? String)
            let port = try #require(base.split(separator: ":").last.map(String.init))
            let record = folder.appending(path: "exchanges.ndjson")
            let tap = try Tool.python("tap.py", port, record.path).start()
            defer { tap.kill() }
            let listening = poll(.seconds(20)) { tap.output.last == UInt8(ascii: "\n") }
            try #require(listening, "the tap: \(tap.messages)")
            let tapPort = String(decoding: tap.output, as: UTF8.self).trimmingCharacters(
                in: .newlines)
            let recorded = RecordedNode(
                url: "http://127.0.0.1:\(tapPort)", folder: folder, node: node, tap: tap,
                record: record)
            try body(recorded)
            try recorded.judge(everyOperation: everyOperation)
        }
    }

    private func judge(everyOperation: Bool) throws {
        #expect(node.isRunning, "the node ended: \(node.messages.suffix(2000))")
        tap.send(SIGTERM)
        let ended = try #require(tap.wait(.seconds(30)), "the tap does not end")
        try #require(ended.status == 0, "the tap: \(ended.messages)")
        let check = try Tool.python(
            arguments: ["check_exchanges.py", Tool.root.appending(path: "openapi.yaml").path]
                + [record.path] + (everyOperation ? ["--every-operation"] : [])
        ).run(within: .seconds(60))
        #expect(check.status == 0, "\(check.text)\(check.messages.suffix(2000))")
    }
}
