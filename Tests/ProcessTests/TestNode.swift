// A node as a program of its own, for as long as a test wants to talk to it.
import Foundation
import ProcessSupport
import Testing

/// Runs a node in a folder of its own on a free port, calls `body` with it, its URL and the folder,
/// and ends it.
func withNode(
    _ arguments: String..., body: (RunningProgram, String, URL) throws -> Void
) throws {
    try withFolder { folder in
        let program = Program(
            arguments: ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"] + arguments)
        let node = try program.in(folder).start()
        defer { node.kill() }
        let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
        let ready = try #require(
            JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        try body(node, try #require(ready["base"] as? String), folder)
    }
}
