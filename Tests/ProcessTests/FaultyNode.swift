// A node that is told to fail, as a program of its own that may be started again on the same data.
import Foundation
import ProcessSupport
import Testing

struct FaultyNode {
    let program: RunningProgram
    let url: String

    /// - Parameter failpoints: set from the start.
    init(in folder: URL, failpoints: String = "", _ arguments: String...) throws {
        program = try Self.serve(in: folder, failpoints, arguments).start()
        let line = program.line(with: "\"event\":\"ready\"")
        guard let line else {
            let messages = program.messages
            program.kill()
            throw Silence(description: "it did not start: \(messages)")
        }
        let ready = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        let port = (ready?["base"] as? String)?.split(separator: ":").last
        url = "http://127.0.0.1:\(port ?? "0")"
    }

    struct Silence: Error, CustomStringConvertible {
        var description: String
    }

    static func serve(
        in folder: URL, _ failpoints: String, _ arguments: [String] = []
    ) -> Program {
        let words = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]
        return Program(
            arguments: words + ["--enable-failpoints", "--failpoints", failpoints] + arguments
        ).in(folder)
    }

    struct Answer: Equatable {
        var status: Int
        var body: String

        /// The problem's stable code.
        var code: String? { member("code") as? String }

        func member(_ name: String) -> Any? {
            let object = try? JSONSerialization.jsonObject(with: Data(body.utf8))
            return (object as? [String: Any])?[name]
        }
    }

    /// Nil: the connection ended without an answer.
    func ask(_ method: String, _ path: String, _ more: String...) throws -> Answer? {
        try ask(method, path, more)
    }

    func ask(_ method: String, _ path: String, _ more: [String]) throws -> Answer? {
        let outcome = try curl(method, path, more).run(within: .seconds(30))
        guard outcome.status == 0 else { return nil }
        let text = outcome.text
        let cut = try #require(text.lastIndex(of: " "), "\(outcome.messages)")
        let status = try #require(Int(text[text.index(after: cut)...]))
        return status == 0 ? nil : Answer(status: status, body: String(text[..<cut]))
    }

    func put(_ key: String, _ value: String, _ more: String...) throws -> Answer? {
        let words = ["--data-binary", value] + more
        let outcome = try curl("PUT", "/v1/raw/kv/\(key)", words).run(within: .seconds(30))
        guard outcome.status == 0, let cut = outcome.text.lastIndex(of: " ") else { return nil }
        let status = Int(outcome.text[outcome.text.index(after: cut)...]) ?? 0
        return status == 0 ? nil : Answer(status: status, body: String(outcome.text[..<cut]))
    }

    /// `{"ops":[{"op":"get","key":"k"}]}`, packed.
    func batchInGzip() throws -> Answer? {
        try withFolder { folder in
            let plain = folder.appending(path: "body")
            try Data(#"{"ops":[{"op":"get","key":"k"}]}"#.utf8).write(to: plain)
            let packed = try Tool.system("gzip", package: "gzip").with([plain.path]).run()
            try #require(packed.status == 0, "\(packed.messages)")
            return try ask(
                "POST", "/v1/raw/batch", "-H", "Content-Type: application/json", "-H",
                "Content-Encoding: gzip", "--data-binary", "@\(plain.path).gz")
        }
    }

    func value(_ key: String) throws -> String? {
        let answer = try #require(try ask("GET", "/v1/raw/kv/\(key)"))
        return answer.status == 200 ? answer.body : nil
    }

    func curl(_ method: String, _ path: String, _ more: [String] = []) throws -> Program {
        try Tool.system("curl", package: "curl").with(
            ["--silent", "--max-time", "20", "-X", method, "-w", " %{http_code}"] + more
                + [path.hasPrefix("http") ? path : url + path])
    }

    func set(_ name: String, _ actions: String) throws {
        let answer = try ask(
            "PUT", "/v1/debug/failpoints/\(name)", "--json", #"{"actions":"\#(actions)"}"#)
        try #require(answer?.status == 200, "\(String(describing: answer))")
    }

    func clear(_ name: String = "") throws {
        let path = "/v1/debug/failpoints" + (name.isEmpty ? "" : "/" + name)
        try #require(try ask("DELETE", path)?.status == 200)
    }

    /// How often something was done there, also by earlier settings.
    func hits(of name: String) throws -> Int {
        try ask("GET", "/v1/debug/failpoints/\(name)")?.member("hits") as? Int ?? 0
    }

    /// Waits until something was done there.
    func waitForHit(of name: String, after count: Int = 0) throws {
        let before = program.messages.count
        let isHit = try poll(.seconds(20)) { try hits(of: name) > count }
        // What was asked while waiting hides what came before.
        let said = program.messages.dropFirst(max(0, before - 3_000)).prefix(6_000)
        try #require(isHit, "\(name) was not reached: \(said)")
    }

    /// Names of points in the log, where `print` and `panic` are told.
    var reached: Set<String> {
        Set(
            program.messages.split(separator: "\n").compactMap { line in
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                guard let fields = object as? [String: Any],
                    fields["event"] as? String == "failpoint"
                else { return nil }
                return fields["name"] as? String
            })
    }
}

extension Program {
    func with(_ arguments: [String]) -> Program {
        var program = self
        program.arguments += arguments
        return program
    }
}
