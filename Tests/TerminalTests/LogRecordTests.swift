// Log lines: their exact bytes, that a line is one line, and that no key or value leaves in clear.
import Base
import Foundation
import Logging
import Terminal
import Testing

@Suite struct LogRecordTests {
    private let time = WallTime(milliseconds: 1_795_369_445_007)

    @Test func goldenLines() {
        let record = LogRecord(
            time: time, level: "info", message: "node is ready",
            fields: [
                "event": .text("ready"), "request_id": .text("r-1"), "took_ms": .number(38),
                "address": .text("127.0.0.1:7171"), "new": .boolean(true), "empty": .text(""),
            ])
        #expect(
            record.json == #"{"ts":"2026-11-22T17:44:05.007Z","level":"info","event":"ready","#
                + #""msg":"node is ready","request_id":"r-1","address":"127.0.0.1:7171","#
                + #""empty":"","new":true,"took_ms":38}"#)
        #expect(
            record.logfmt == "ts=2026-11-22T17:44:05.007Z level=info event=ready "
                + #"msg="node is ready" request_id=r-1 address=127.0.0.1:7171 empty="" new=true "#
                + "took_ms=38")
    }

    @Test func noInputForgesALine() {
        let hostile = "x\n{\"level\":\"error\"}\r\u{1B}[2J\u{85}\u{2028}\0"
        let record = LogRecord(
            time: time, level: "info", message: hostile, fields: ["agent": .text(hostile)])
        for line in [record.json, record.logfmt] {
            #expect(!line.unicodeScalars.contains { $0.isControl })
            #expect(line.contains(#"x\n{\"level\":\"error\"}\r\u001b[2J\u0085\u2028\u0000"#))
        }
    }

    // Planted secrets under every guarded name, through swift-log and out of the descriptor, in
    // both forms: the bytes written hold none of them.
    @Test(arguments: [StandardErrorLog.Form.logfmt, .json])
    func plantedSecretsDoNotLeave(form: StandardErrorLog.Form) throws {
        let pipe = Pipe()
        var logger = Logger(label: "test") { _ in
            StandardErrorLog(
                form, level: .trace, descriptor: pipe.fileHandleForWriting.fileDescriptor)
        }
        let names = LogRecord.hashedNames.union(LogRecord.withheldNames).sorted()
        for name in names {
            logger[metadataKey: name] = "planted-secret-\(name)"
            logger.info("one", metadata: [name: .string("planted-secret-too")])
            logger.error("two")
            logger[metadataKey: name] = nil
        }
        logger.warning("three", metadata: ["status": .stringConvertible(507)])
        try pipe.fileHandleForWriting.close()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == names.count * 2 + 1)
        #expect(!lines.contains { $0.contains("planted") })
        #expect(lines[0].contains("hash") || lines[0].contains("withheld"))
        #expect(lines.last?.contains("507") == true && lines.last?.contains("\"507\"") == false)
    }

    @Test func equalKeysHaveEqualHashes() {
        #expect(LogRecord.hash("users/1") == LogRecord.hash("users/1"))
        #expect(LogRecord.hash("users/1") != LogRecord.hash("users/2"))
        #expect(LogRecord.hash("").utf8.count == 16)
    }
}
