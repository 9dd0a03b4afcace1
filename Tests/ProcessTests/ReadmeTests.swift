// The README's curl lines, run by a shell against a real node and compared with what it says they
// answer. `…` there stands for anything. What the README promises is thereby kept true.
import Foundation
import ProcessSupport
import Testing

@Suite struct ReadmeTests {
    struct Step: Equatable {
        var command: String
        var answer: String
    }

    static let readme = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "README.md")

    @Test func whatTheReadmeShowsIsWhatHappens() throws {
        let steps = Self.steps(in: try String(contentsOf: Self.readme, encoding: .utf8))
        #expect(steps.count >= 15, "the README is not read as it is written")
        try RecordedNode.run { node in
            let (url, folder) = (node.url, node.folder)
            var variables = ""
            for step in steps {
                let command = step.command.replacing("http://127.0.0.1:7171", with: url)
                if command.contains(/^\w+=\S*$/) {
                    variables += command + "\n"
                    continue
                }
                let said = try shell(variables + command, in: folder)
                #expect(
                    Self.matches(said, step.answer),
                    "\n$ \(step.command)\n\(said)\nbut the README says\n\(step.answer)")
            }
        }
    }

    /// The table says what the node says, all of it and nothing else.
    @Test func theLimitsAreThoseOfTheNode() throws {
        let text = try String(contentsOf: Self.readme, encoding: .utf8)
        var shown: [String: Int] = [:]
        for row in text.matches(of: /(?m)^\| (`\w+`(?:, `\w+`)*) \| ([\d, ]+) \|/) {
            let names = row.1.split(separator: ", ").map { String($0.dropFirst().dropLast()) }
            let numbers = row.2.split(separator: ", ").compactMap { Int($0) }
            try #require(names.count == numbers.count, "\(row.0)")
            for (name, number) in zip(names, numbers) { shown[name] = number }
        }
        try RecordedNode.run { node in
            let said = try Tool.curl("\(node.url)/v1/limits").output
            let limits = try JSONDecoder().decode([String: Int].self, from: said)
            #expect(shown == limits)
        }
    }

    /// Each swap of one key is on disk before the next one looks.
    @Test func swapsOfOneKeyCostASyncEach() throws {
        try RecordedNode.run { node in
            func syncs() throws -> Int {
                let text = try Tool.curl("\(node.url)/metrics").text
                let row = /martlet_wal_fsync_duration_seconds_count (\d+)/
                let count = try #require(text.firstMatch(of: row)?.1)
                return try #require(Int(count))
            }
            let before = try syncs()
            let swaps = (0..<50).map { number in
                let previous = number == 0 ? #""previous_absent":true"# : #""previous_value":"v""#
                return #"{"op":"cas","key":"k",\#(previous),"value":"v"}"#
            }
            let answer = try Tool.curl(
                "--json", #"{"ops":[\#(swaps.joined(separator: ","))]}"#,
                "\(node.url)/v1/raw/batch")
            #expect(answer.text.components(separatedBy: #""swapped":true"#).count == 51)
            let after = try syncs()
            #expect(after - before >= 50)
        }
    }

    /// Examples whose outcome needs no accident; each status is in the table.
    @Test func theExitStatusesAreThoseOfTheTable() throws {
        let text = try String(contentsOf: Self.readme, encoding: .utf8)
        let rows = text.matches(of: /(?m)^\| (\d+) \| [^|]+ \| (.*) \|$/)
        #expect(
            rows.map { String($0.1) } == [
                "0", "1", "64", "65", "69", "70", "74", "75", "76", "77", "78",
            ])
        let examples = rows.filter { $0.2.hasPrefix("`") && $0.2.hasSuffix("`") }
        #expect(examples.count == 7)
        try RecordedNode.run { (node) throws in
            for row in examples {
                let line = row.2.dropFirst().dropLast().replacing("\\|", with: "|")
                let command = String(line.replacing("martlet", with: "\"$MARTLET\""))
                var program = Program("-c", command).in(node.folder)
                    .with("MARTLET", Program.binary.path).with("MARTLET_URL", node.url)
                program.executable = URL(filePath: "/bin/bash")
                let outcome = try program.run()
                #expect(outcome.status == Int32(row.1), "\(line)")
            }
        }
    }

    @Test func linesOfAConsoleAreTakenApart() {
        let text = """
            ```console
            $ A=1
            $ one
            x
            y
            ```
            ```
            $ not this
            ```
            ```console
            $ two
            ```
            """
        #expect(
            Self.steps(in: text) == [
                Step(command: "A=1", answer: ""), Step(command: "one", answer: "x\ny"),
                Step(command: "two", answer: ""),
            ])
    }

    @Test func anEllipsisStandsForAnythingAndTheRestForItself() {
        #expect(Self.matches("{\"etag\":\"12\"}\n", "{\"etag\":\"…\"}"))
        #expect(Self.matches("abc", "…"))
        #expect(Self.matches("", ""))
        #expect(!Self.matches("{\"etag\":\"12\"}", "{\"tag\":\"…\"}"))
        #expect(!Self.matches("axb.", "a…b"))
        #expect(!Self.matches("xab", "a…b"))
        #expect(!Self.matches("ab", ""))
    }

    private func shell(_ command: String, in folder: URL) throws -> String {
        var program = Program("-c", command).in(folder)
        program.executable = URL(filePath: "/bin/bash")
        return try program.run().text
    }

    private static func steps(in markdown: String) -> [Step] {
        var steps: [Step] = []
        var isConsole = false
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isConsole = line == "```console"
            } else if isConsole, line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2)), answer: ""))
            } else if isConsole, let last = steps.indices.last {
                steps[last].answer += (steps[last].answer.isEmpty ? "" : "\n") + line
            }
        }
        return steps
    }

    private static func matches(_ said: String, _ pattern: String) -> Bool {
        let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
        var rest = said[...]
        while rest.last == "\n" { rest.removeLast() }
        guard parts.count > 1, let first = parts.first, let last = parts.last else {
            return rest == pattern
        }
        guard rest.hasPrefix(first) else { return false }
        rest = rest.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}
