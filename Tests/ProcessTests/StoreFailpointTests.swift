// Faults at the store of a real node: what is unknown stays unknown, what was acknowledged stays,
// and a start after any of them finds a store.
import Failpoints
import Foundation
import ProcessSupport
import Testing

@Suite struct StoreFailpointTests {
    // MARK: Writes

    /// The store's end: the client is told that the outcome is unknown, the node ends with the
    /// status for a failed disk, and only a restart says what is there.
    @Test(arguments: [
        ("log.sync", "io_error", false), ("log.sync", "corrupt", false),
        ("log.sync", "disk_full", false), ("log.synced", "io_error", true),
        ("data.write", "io_error", true), ("data.write", "corrupt", true),
    ])
    func aFailedWriteEndsTheStore(name: String, fault: String, isThere: Bool) throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            #expect(try node.put("before", "v")?.status == 200)
            try node.set(name, "return(\(fault))")
            let answer = try node.put("k", "v")
            #expect(answer?.status == 504 && answer?.code == "outcome_unknown")
            let ended = try #require(node.program.wait(.seconds(20)))
            #expect(ended.status == 74, "\(ended.messages)")
            #expect(ended.messages.contains(#""event":"store_failed""#))

            let next = try FaultyNode(in: folder)
            defer { next.program.kill() }
            #expect(try next.value("before") == "v")
            #expect(try next.value("k") == (isThere ? "v" : nil))
        }
    }

    /// Only the log grows by it, so the node goes on, and says so once.
    @Test func whatIsFlushedCannotBeRead() throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            try node.set("disk.flushed", "return")
            let isTold = poll(.seconds(20)) {
                node.program.messages.contains(#""event":"flush_unknown""#)
            }
            #expect(isTold, "\(node.program.messages)")
            #expect(try node.put("k", "v")?.status == 200)
            #expect(node.program.isRunning)
        }
    }

    /// Killed between two steps of a write: below the sync it is gone, from there on it is there,
    /// and in neither case was it acknowledged.
    @Test(arguments: [
        ("log.take", false), ("log.sync", false), ("log.synced", true), ("data.write", true),
        ("data.applied", true),
    ])
    func killedBeforeTheAnswer(name: String, isThere: Bool) throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            #expect(try node.put("before", "v")?.status == 200)
            try node.set(name, "pause")
            let put = try node.curl("PUT", "/v1/raw/kv/k", ["-d", "v"]).start()
            defer { put.kill() }
            try node.waitForHit(of: name)
            #expect(put.isRunning, "it was answered before it was done")
            node.program.send(SIGKILL)
            let answer = try #require(put.wait(.seconds(20)))
            #expect(answer.status != 0, "\(answer.text)")

            let next = try FaultyNode(in: folder)
            defer { next.program.kill() }
            #expect(try next.value("before") == "v")
            #expect(try next.value("k") == (isThere ? "v" : nil))
        }
    }

    /// The same where a loop hands over: nobody can hold it there, but the process can end.
    @Test(arguments: [("log.queue", false), ("data.queue", true), ("http.answer", true)])
    func endedBeforeTheAnswer(name: String, isThere: Bool) throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            #expect(try node.put("before", "v")?.status == 200)
            try node.set(name, name == "http.answer" ? "1*off->panic" : "panic")
            #expect(try node.put("k", "v") == nil)
            #expect(node.program.wait(.seconds(20))?.signal != nil)

            let next = try FaultyNode(in: folder)
            defer { next.program.kill() }
            #expect(try next.value("before") == "v")
            #expect(try next.value("k") == (isThere ? "v" : nil))
        }
    }

    /// The log is about to be cut behind what the data has on disk, which it has.
    @Test func endedBeforeTheLogIsCut() throws {
        try withFolder { folder in
            let first = try FaultyNode(in: folder)
            defer { first.program.kill() }
            #expect(try first.put("k", "v")?.status == 200)
            first.program.send(SIGTERM)
            #expect(first.program.wait(.seconds(20))?.status == 0)
            let cut = try FaultyNode.serve(in: folder, "log.cut=panic(cut)").run()
            #expect(cut.signal != nil && cut.messages.contains("failpoint log.cut: cut"))
            let next = try FaultyNode(in: folder)
            defer { next.program.kill() }
            #expect(try next.value("k") == "v")
        }
    }

    /// `outcome_unknown` is the truth: what timed out in the log was written after all.
    @Test func aWriteThatTimedOutHappensLater() throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            try node.set("log.sync", "pause")
            let answer = try node.put("k", "v", "-H", "Request-Timeout: 0.2")
            #expect(answer?.status == 504 && answer?.code == "outcome_unknown")
            #expect(try node.value("k") == nil)
            try node.clear("log.sync")
            #expect(try poll(.seconds(20)) { try node.value("k") == "v" })
        }
    }

    // MARK: Reads

    @Test(arguments: ["read.begin", "read.end"]) func readsFailAndTheNextDoesNot(
        name: String
    ) throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            #expect(try node.put("k", "v")?.status == 200)
            for fault in ["unreadable", "io_error", "corrupt"] {
                try node.set(name, "1*return(\(fault))")
                let answer = try node.ask("GET", "/v1/raw/count")
                #expect(answer?.status == 500 && answer?.code == "internal")
                #expect(try node.ask("GET", "/v1/raw/count")?.body == #"{"count":1}"# + "\n")
            }
            // One reader that waits does not hold up what memory can answer.
            try node.set(name, "pause")
            let late = try node.ask("GET", "/v1/raw/count", "-H", "Request-Timeout: 0.2")
            #expect(late?.code == "deadline_exceeded")
            #expect(try node.value("k") == "v")
            try node.clear()
        }
    }

    @Test func viewsMayBeSlow() throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder, failpoints: "view.open=sleep(5);view.close=yield")
            defer { node.program.kill() }
            let scans = #"{"ops":[{"op":"scan","limit":1000},{"op":"scan","limit":1000}]}"#
            #expect(try node.ask("POST", "/v1/raw/batch", "--json", scans)?.status == 200)
            try node.waitForHit(of: "view.open")
            try node.waitForHit(of: "view.close")
        }
    }

    // MARK: Space

    @Test func whatCannotBeLookedAtIsSaidOnceAndGoesOn() throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder)
            defer { node.program.kill() }
            try node.set("disk.look", "3*return")
            #expect(node.program.line(with: "free space cannot be told") != nil)
            #expect(try node.put("k", "v")?.status == 200)
            #expect(node.program.line(with: "free space can be told again") != nil)
            let said = node.program.messages.split(separator: "\n").count {
                $0.contains("free space cannot be told")
            }
            #expect(said == 1)
            try node.set("disk.reclaim", "return")
            #expect(node.program.line(with: "the store could not be flushed") != nil)
            #expect(try node.put("k", "w")?.status == 200)
        }
    }

    // MARK: Start and end

    @Test(arguments: [
        ("start.lock", "return", 74, "disk_failed"),
        ("start.identity", "return", 74, "disk_failed"),
        ("start.open", "return(io_error)", 74, "disk_failed"),
        ("start.open", "return(disk_full)", 74, "disk_full"),
        ("start.open", "return(corrupt)", 65, "data_corrupt"),
        ("start.data", "return(io_error)", 74, "disk_failed"),
        ("start.data", "return(corrupt)", 65, "data_corrupt"),
        ("start.empty", "return", 74, "disk_failed"),
        ("start.made", "return", 74, "disk_failed"),
        ("start.recover", "return", 74, "disk_failed"),
        ("start.recover", "return(corrupt)", 65, "data_corrupt"),
        ("start.listen", "return", 69, "port_in_use"),
    ])
    func aStartThatFailsSaysSoAndTheNextSucceeds(
        name: String, actions: String, status: Int32, code: String
    ) throws {
        try withFolder { folder in
            let outcome = try FaultyNode.serve(in: folder, "\(name)=\(actions)").run()
            #expect(outcome.status == status, "\(outcome.messages)")
            #expect(outcome.messages.contains("\"code\":\"\(code)\""), "\(outcome.messages)")
            try expectToServe(folder)
        }
    }

    /// Ended between two steps of making a store.
    @Test(
        arguments: Failpoint.allCases.map(\.name).filter { $0.hasPrefix("start.") })
    func aStartThatCrashesLeavesNothingInTheWay(name: String) throws {
        try withFolder { folder in
            let outcome = try FaultyNode.serve(in: folder, "\(name)=panic(gone)").run()
            #expect(outcome.signal != nil, "\(outcome.messages)")
            #expect(outcome.messages.contains("failpoint \(name): gone"))
            try expectToServe(folder)
        }
    }

    private func expectToServe(_ folder: URL) throws {
        let node = try FaultyNode(in: folder)
        defer { node.program.kill() }
        #expect(try node.put("k", "v")?.status == 200)
        #expect(try node.value("k") == "v")
        node.program.send(SIGTERM)
        #expect(node.program.wait(.seconds(20))?.status == 0, "\(node.program.messages)")
    }

    /// Until it begins to drain a node answers as ever.
    @Test func aDrainThatIsHeldUpStillServes() throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder, failpoints: "drain.begin=pause")
            defer { node.program.kill() }
            node.program.send(SIGTERM)
            #expect(node.program.line(with: #""event":"draining""#) != nil)
            #expect(try node.put("k", "v")?.status == 200)
            try node.clear()
            #expect(node.program.wait(.seconds(20))?.status == 0, "\(node.program.messages)")
        }
    }

    /// All was answered, the store was never closed: as good as a clean end.
    @Test(arguments: ["drain.quiet", "drain.close", "drain.end"])
    func aCrashAtTheEndCostsNothing(name: String) throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder, failpoints: "\(name)=panic")
            defer { node.program.kill() }
            #expect(try node.put("k", "v")?.status == 200)
            node.program.send(SIGTERM)
            #expect(node.program.wait(.seconds(20))?.signal != nil)
            let next = try FaultyNode(in: folder)
            defer { next.program.kill() }
            #expect(try next.value("k") == "v")
        }
    }
}
