// The hand-written records against the schema, by the compiler of Protocol Buffers: what we write
// it reads as the same text, and what it writes from that text we read as the same record.
import Base
import Foundation
import Raft
import Regions
import Testing

@Suite struct ProtocTests {
    static let schema = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources/Regions/Records").standardizedFileURL

    // `make test` installs the compiler; a bare `swift test` may be without it.
    static let isThere = FileManager.default.isExecutableFile(atPath: "/usr/bin/protoc")

    @Test(.enabled(if: isThere, "needs protoc"), arguments: RecordForm.all.map(\.name))
    func theSchemaReadsAndWritesTheSameBytes(name: String) throws {
        let form = RecordForm.all.first { $0.name == name }!
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<25 {
            let bytes = generator.record(name)
            let text = try run("--decode", name, bytes)
            // Fields that the schema does not know are printed by their numbers.
            let strangers = String(decoding: text, as: UTF8.self).matches(of: /(?m)^\s*\d/)
            #expect(strangers.isEmpty, "\(String(decoding: text, as: UTF8.self))")
            let again = try run("--encode", name, text)
            #expect(again == bytes)
            #expect(try form.rewritten(again) == bytes)
        }
    }

    @Test(.enabled(if: isThere, "needs protoc")) func theTextSaysWhatWasMeant() throws {
        let entry = Entry(term: 7, .command(byteCount: 2))
        let record = EntryRecord.encode(entry, command: Bytes("hi".utf8))
        let append = Append(
            previous: LogPosition(index: 4, term: 6), entries: [entry], commit: 3,
            beat: Beat(round: 9, sentAt: .init(nanoseconds: 10)))
        let message = PeerMessage(
            group: GroupID(1),
            message: RaftMessage(
                from: ReplicaID(2), to: ReplicaID(3), term: 7, body: .append(append)),
            entries: [record])
        let text = String(
            decoding: try run("--decode", "PeerMessage", message.encoded), as: UTF8.self)
        #expect(
            text == """
                version: 1
                group: 1
                from: 2
                to: 3
                term: 7
                append {
                  previous_index: 4
                  previous_term: 6
                  commit: 3
                  beat {
                    round: 9
                    sent_at: 10
                  }
                  entries {
                    version: 1
                    term: 7
                    kind: COMMAND
                    command: "hi"
                  }
                }

                """)
    }

    private func run(_ verb: String, _ name: String, _ input: Bytes) throws -> Bytes {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/protoc")
        process.arguments = [
            "\(verb)=martlet.\(name)", "--proto_path=\(Self.schema.path)", "records.proto",
        ]
        let (asked, said) = (Pipe(), Pipe())
        process.standardInput = asked
        process.standardOutput = said
        try process.run()
        try asked.fileHandleForWriting.write(contentsOf: Data(input))
        try asked.fileHandleForWriting.close()
        let output = try said.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return Bytes(output)
    }
}
