// Conversations with a node as text files: what was asked, and below it the exact answer.
//
// A step is a request (method and target, header fields, an empty line, the body), a line of
// dashes, and the answer. Bytes that are not printable stand as \xNN, and the empty body as
// (empty). `REWRITE_SCENARIOS=1 swift test --filter ScenarioTests` writes the answers anew, to be
// reviewed as a diff. Every answer is also held to the rules that all answers obey.
import API
import Base
import Foundation
import Testing

@Suite struct ScenarioTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scenarios")
    static let names = [
        "bytes-lane", "entry", "scan", "batch", "cas", "delete-range", "strict", "service",
    ]

    @Test(arguments: names) func scenario(_ name: String) throws {
        let file = Self.folder.appending(path: name + ".txt")
        let written = try String(contentsOf: file, encoding: .utf8)
        var node = RawNode()
        var steps: [String] = []
        for step in written.components(separatedBy: "\n====\n") {
            let question = step.components(separatedBy: "\n----\n")[0]
                .trimmingCharacters(in: CharacterSet(charactersIn: "\n"))
            steps.append(question + "\n----\n" + (try Self.play(question, on: &node)))
        }
        let played = steps.joined(separator: "\n====\n") + "\n"
        if ProcessInfo.processInfo.environment["REWRITE_SCENARIOS"] != nil {
            try played.write(to: file, atomically: true, encoding: .utf8)
        }
        for (expected, actual) in zip(
            written.components(separatedBy: "\n====\n"), played.components(separatedBy: "\n====\n"))
        {
            #expect(expected == actual)
        }
        #expect(played == written)
    }

    /// One step. Lines that begin with `#` are remarks; `@ N` first lets N seconds pass.
    private static func play(_ question: String, on node: inout RawNode) throws -> String {
        var lines = question.components(separatedBy: "\n")
        while let line = lines.first, line.hasPrefix("#") || line.hasPrefix("@") {
            if line.hasPrefix("@"), let seconds = UInt64(line.dropFirst(2)) {
                node.wall = node.wall.adding(seconds: seconds)
            }
            lines.removeFirst()
        }
        let start = lines.removeFirst().components(separatedBy: " ")
        let methods: [String: Method] = [
            "GET": .get, "HEAD": .head, "PUT": .put, "POST": .post, "DELETE": .delete,
            "OPTIONS": .options,
        ]
        var request = Request(
            method: methods[start[0]] ?? .other, target: unescaped(start[1]))
        while !lines.isEmpty {
            let line = lines.removeFirst()
            if line.isEmpty {
                let body = lines.joined(separator: "\n")
                request.body = body == "(empty)" ? [] : unescaped(body)
                break
            }
            let colon = try #require(line.firstIndex(of: ":"))
            request.headers.append(
                try #require(HeaderName(rawValue: String(line[..<colon]))),
                unescaped(line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)))
        }
        let response = try node.answer(request)
        checkCommon(response)
        return text(of: response)
    }

    private static func text(of response: Response) -> String {
        var lines = ["\(response.status) \(response.contentType?.rawValue ?? "no content")"]
        for field in response.fields
        where field.name != .contentTypeOptions && field.name != .cacheControl {
            let value = String(decoding: field.value, as: UTF8.self)
            if field.name == .requestID, value == "generated" { continue }
            lines.append("\(field.name.rawValue): \(value)")
        }
        var body = response.body
        if body.last == 0x0A { body.removeLast() }
        if body.count > 4096 { body = Bytes("(\(body.count) bytes)".utf8) }
        return (lines + (body.isEmpty ? [] : ["", escaped(body)])).joined(separator: "\n")
    }

    private static func checkCommon(_ response: Response) {
        #expect(response[.contentTypeOptions] == Bytes("nosniff".utf8))
        #expect(response[.requestID] != nil)
        let isProblem = response.contentType == .problem
        #expect(isProblem == (response.status >= 400))
        if response.contentType == .json || isProblem { #expect(response.body.last == 0x0A) }
        #expect((response.contentType == nil) == (response.status == 304))
    }

    static func unescaped(_ text: String) -> Bytes {
        var bytes = Bytes()
        var rest = Bytes(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), rest.count >= 3,
                let value = UInt8(
                    String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }

    static func escaped(_ bytes: Bytes) -> String {
        if TextScan.isUTF8(bytes), bytes.allSatisfy({ $0 >= 0x20 || $0 == 0x0A }) {
            return String(decoding: bytes, as: UTF8.self)
        }
        return bytes.map { byte in
            byte >= 0x20 && byte < 0x7F
                ? String(UnicodeScalar(byte))
                : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
