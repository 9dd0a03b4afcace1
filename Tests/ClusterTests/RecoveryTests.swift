// Most of a cluster is lost for good, and one store goes on: what it says first, what it has then,
// who comes back, and what a crash in between leaves.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Testing

@Suite(.serialized) struct RecoveryTests {
    private func withThree(_ body: (ThreeNodes) async throws -> Void) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-three-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try await ThreeNodes(in: folder)
        for number in 0..<20 {
            #expect(try await nodes.put("n\(number)", "\(number)", at: 1 + number % 3) == 200)
        }
        // The one that is to go on has it too, and not only most.
        let leader = try await nodes.leader()
        let committed = try await index("commit_index", at: leader, nodes)
        try await nodes.wait("store 1 to have everything") {
            try await index("applied_index", at: 1, nodes) >= committed
        }
        try await body(nodes)
    }

    private func index(_ name: String, at node: Int, _ nodes: ThreeNodes) async throws -> Int {
        let region = try await nodes.send(ClientRequest("GET", "/v1/regions/1"), at: node)
        let object = try JSONSerialization.jsonObject(with: Data(region.body)) as? [String: Any]
        return try #require(object?[name] as? Int, "\(region.text)")
    }

    private func recover(
        _ nodes: ThreeNodes, _ folder: String = "n1", _ arguments: String...
    ) throws -> Program.Outcome {
        try Program(arguments: ["recover", "--data-dir", folder] + arguments)
            .in(nodes.folder).run()
    }

    private func cluster(_ nodes: ThreeNodes, _ folder: String) throws -> String {
        let text = try String(
            contentsOf: nodes.folder.appending(path: "\(folder)/IDENTITY"), encoding: .utf8)
        return String(try #require(text.firstMatch(of: /cluster: ([0-9a-f]+)/)?.1))
    }

    /// Every file, with what is in it and when that was written.
    private struct File: Equatable {
        var content: Data
        var written: Date
    }

    private func files(_ nodes: ThreeNodes, _ folder: String) throws -> [String: File] {
        let root = nodes.folder.appending(path: folder)
        var files: [String: File] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: root.path) {
            let url = root.appending(path: name)
            let facts = try FileManager.default.attributesOfItem(atPath: url.path)
            let isFile = facts[.type] as? FileAttributeType == .typeRegular
            files[name] = File(
                content: isFile ? try Data(contentsOf: url) : Data(),
                written: try #require(facts[.modificationDate] as? Date))
        }
        #expect(files.count > 10, "\(files.keys)")
        return files
    }

    private func copy(_ nodes: ThreeNodes, _ from: String, _ to: String) throws {
        let target = nodes.folder.appending(path: to)
        if FileManager.default.fileExists(atPath: target.path) {
            try FileManager.default.removeItem(at: target)
        }
        try FileManager.default.copyItem(at: nodes.folder.appending(path: from), to: target)
    }

    @Test func itSaysWhatItWouldDoAndDoesItOnce() async throws {
        try await withThree { nodes in
            let running = try recover(nodes, "n1", "--lost", "2,3")
            #expect(running.status == 75)
            #expect(running.messages.contains("data_in_use"), "\(running.messages)")
            for node in ThreeNodes.all { try nodes.signal(node, SIGKILL) }
            let old = try cluster(nodes, "n1")
            let before = try files(nodes, "n1")

            // What is wrong is said, and what would be right.
            for (lost, code) in [
                ("2", "majority_left"), ("1,2", "nobody_lost"), ("2,9", "store_not_found"),
            ] {
                let outcome = try recover(nodes, "n1", "--lost", lost)
                #expect(outcome.status == 64)
                #expect(outcome.messages.hasPrefix("error[\(code)]"), "\(outcome.messages)")
            }
            let plan = try recover(nodes, "n1", "--lost", "2,3")
            #expect(plan.status == 0)
            for words in ["voters", "1 2 3", "last entry", "may be lost", "--confirm \(old)"] {
                #expect(plan.text.contains(words), "\(words): \(plan.text)")
            }
            #expect(try recover(nodes, "n1", "--lost", "2,3", "--json").status == 0)
            #expect(try files(nodes, "n1") == before, "nothing was changed")
            #expect(try recover(nodes, "n1", "--lost", "2,3", "--confirm", "abc").status == 64)
            #expect(try cluster(nodes, "n1") == old)

            let done = try recover(nodes, "n1", "--lost", "2,3", "--confirm", old)
            #expect(done.status == 0, "\(done.messages)")
            let new = try cluster(nodes, "n1")
            #expect(new != old)
            let again = try recover(nodes, "n1", "--lost", "2,3", "--confirm", old)
            #expect(again.status == 0 && again.text.contains("it was done before"))
            #expect(try cluster(nodes, "n1") == new)
            let kept = nodes.folder.appending(path: "n1/recovered/\(new)")
            let record = try String(
                contentsOf: kept.appending(path: "RECORD"), encoding: .utf8)
            #expect(record.contains(old) && record.contains(new), "\(record)")
            let log = kept.appending(path: "log/CURRENT").path
            #expect(FileManager.default.fileExists(atPath: log))
        }
    }

    @Test func oneGoesOnAndTheOthersComeAsNewOnes() async throws {
        try await withThree { nodes in
            for node in ThreeNodes.all { try nodes.signal(node, SIGKILL) }
            let old = try cluster(nodes, "n1")
            let done = try recover(nodes, "n1", "--lost", "2,3", "--confirm", old)
            #expect(done.status == 0, "\(done.messages)")
            let new = try cluster(nodes, "n1")
            try nodes.start(1)
            for number in 0..<20 {
                #expect(try await nodes.get("n\(number)", at: 1) == "\(number)")
            }
            #expect(try await nodes.put("after", "x", at: 1) == 200)
            #expect(try await nodes.stores(1).map(\.store) == ["1"])

            // One that was lost comes back as it was: it hears it from both ways of coming.
            try nodes.start(2)
            let words = "which lost its majority; cluster \(new) went on from it"
            try await nodes.wait("both sides to say so") {
                nodes.programs[1]?.messages.contains(words) == true
                    && nodes.programs[2]?.messages.contains(words) == true
            }
            let refused = #"martlet_peer_refused_total{reason="left_behind"}"#
            #expect(try await nodes.metric(refused, at: 1) ?? 0 > 0)
            #expect(try await nodes.put("after", "y", at: 2) != 200)
            #expect(try await nodes.get("after", at: 1) == "x")
            try nodes.signal(2, SIGKILL)
            let joining = try Program(
                arguments: [
                    "serve", "--data-dir", "n3", "--listen", "127.0.0.1:\(nodes.port(3))",
                    "--join", nodes.url(1),
                ]
            ).in(nodes.folder).run()
            #expect(joining.status == 78)
            #expect(joining.messages.contains("mv n3 n3.old"), "\(joining.messages)")

            // Under new names they are welcome.
            for folder in ["n2", "n3"] {
                try FileManager.default.moveItem(
                    at: nodes.folder.appending(path: folder),
                    to: nodes.folder.appending(path: "\(folder).old"))
            }
            try nodes.start(2, joining: 1)
            try await nodes.wait("store 4 to vote") {
                try await nodes.stores(1).contains { $0.store == "4" && $0.role == "voter" }
            }
            #expect(try await nodes.get("n7", at: 2) == "7")
            try nodes.start(3, joining: 1)
            try await nodes.wait("store 5 to vote") {
                try await nodes.stores(1).contains { $0.store == "5" && $0.role == "voter" }
            }
            try nodes.signal(1, SIGKILL)
            try await nodes.wait("the others to go on") {
                try await nodes.put("last", "x", at: 2) == 200
            }
            #expect(try await nodes.get("n19", at: 3) == "19")
        }
    }

    // What each step of it leaves on the disk, made of what was before and what was after.
    @Test func aCrashInBetweenIsAnsweredByGoingOn() async throws {
        try await withThree { nodes in
            for node in ThreeNodes.all { try nodes.signal(node, SIGKILL) }
            let old = try cluster(nodes, "n1")
            try copy(nodes, "n1", "done")
            #expect(try recover(nodes, "done", "--lost", "2,3", "--confirm", old).status == 0)
            let new = try cluster(nodes, "done")

            let steps: [[(from: String, to: String)]] = [
                [], [("log", "log")], [("log", "log"), ("db/OWNER", "db/OWNER")],
                [("log", "log"), ("db/OWNER", "db/OWNER"), ("STORES", "STORES")],
            ]
            for (number, changed) in steps.enumerated() {
                let folder = "step\(number)"
                try copy(nodes, "n1", folder)
                try copy(nodes, "done/IDENTITY", "\(folder)/RECOVERING")
                for (from, to) in changed { try copy(nodes, "done/\(from)", "\(folder)/\(to)") }
                let serve = try Program(
                    arguments: ["serve", "--data-dir", folder, "--listen", "127.0.0.1:0"]
                ).in(nodes.folder).run()
                #expect(serve.status == 78)
                #expect(serve.messages.contains("data_recovering"), "\(serve.messages)")
                let before = try files(nodes, folder)
                let unconfirmed = try recover(nodes, folder)
                #expect(try files(nodes, folder) == before, "nothing was changed")
                #expect(unconfirmed.status == 78)
                #expect(unconfirmed.messages.contains("--confirm \(old)"))
                let done = try recover(nodes, folder, "--confirm", old)
                #expect(done.status == 0, "step \(number): \(done.messages)")
                #expect(try cluster(nodes, folder) == new)
                let program = try Program(
                    arguments: [
                        "serve", "--data-dir", folder, "--listen",
                        "127.0.0.1:\(nodes.port(1))",
                    ]
                ).in(nodes.folder).start()
                _ = try #require(
                    program.line(with: "\"event\":\"ready\""), "\(program.messages)")
                let client = nodes.client(1)
                let get = ClientRequest("GET", "/v1/raw/kv/n19")
                #expect(try await client.send(get).text == "19")
                let stores = try await client.send(ClientRequest("GET", "/v1/stores"))
                #expect(stores.text.contains(new) && !stores.text.contains("\"store_id\":\"2\""))
                program.kill()
                await client.close()
            }
        }
    }
}
