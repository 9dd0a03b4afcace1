// What was acknowledged survives: kill -9 under load, kill -9 while recovering, SIGTERM under load.
import Base
import Foundation
import Testing

@Suite(.serialized) struct CrashTests {
    private static let writers = 8

    private func load(_ node: LiveNode, _ ledger: Ledger, seed: UInt64) -> DispatchGroup {
        let port = node.port
        ledger.resume()
        return inThreads(CrashTests.writers) { index in
            Writer(ledger: ledger, name: "w\(index)", port: port, seed: seed &+ UInt64(index)).run()
        }
    }

    /// Waits until `count` more writes are acknowledged.
    private func wait(for count: Int, _ ledger: Ledger, from start: Int) throws {
        let isDone = poll(.seconds(60)) { ledger.acknowledgements - start >= count }
        try #require(isDone, "only \(ledger.acknowledgements - start) of \(count) acknowledged")
    }

    @Test(arguments: [1, UInt64.random(in: 2 ... .max)])
    func killedAtAnyMoment(seed: UInt64) throws {
        try withFolder { folder in
            let data = folder + "/data"
            let ledger = Ledger()
            var generator = SeededGenerator(seed: seed)
            for round in 1...5 {
                let node = try LiveNode(data: data)
                defer { node.kill() }
                let wrong = try ledger.check(try node.connect())
                #expect(wrong.isEmpty, "seed \(seed), round \(round): \(wrong)")
                let start = ledger.acknowledgements
                let load = load(node, ledger, seed: generator.next())
                try wait(for: Int.random(in: 300...600, using: &generator), ledger, from: start)
                // Between two answers as well, not only right after one.
                usleep(UInt32.random(in: 0...3000, using: &generator))
                node.kill()
                load.wait()
                // A crash in recovery must not cost what the first one left.
                let second = try LiveNode(data: data, isAwaited: false)
                usleep(UInt32.random(in: 0...100_000, using: &generator))
                second.kill()
            }
            let node = try LiveNode(data: data)
            defer { node.kill() }
            let wrong = try ledger.check(try node.connect())
            #expect(wrong.isEmpty, "seed \(seed), at the end: \(wrong)")
            #expect(ledger.acknowledgements >= 1500)
        }
    }

    @Test func stoppedUnderLoad() throws {
        try withFolder { folder in
            let ledger = Ledger()
            let node = try LiveNode(data: folder + "/data")
            defer { node.kill() }
            let load = load(node, ledger, seed: 7)
            try wait(for: 300, ledger, from: 0)
            // In flight when the signal comes: its head is there, its body is not.
            let wire = try node.connect()
            wire.send(
                "PUT /v1/raw/kv/in-flight HTTP/1.1\r\nHost: localhost\r\n"
                    + "Content-Length: 4\r\n\r\n12"
            )
            // Each core has some of them, and closes them when it has been told to drain.
            let idle = try (0..<32).map { _ in try node.connect() }
            for wire in idle { #expect(try wire.request("GET", "/livez").isSuccess) }
            try wait(for: 100, ledger, from: ledger.acknowledgements)
            node.send(SIGTERM)
            let isDraining = poll(.seconds(20)) { node.messages.contains(#""event":"draining""#) }
            try #require(isDraining, "\(node.messages)")
            for wire in idle { try #require(wire.untilClosed() != nil) }
            wire.send("34")
            let answer = try wire.answer()
            #expect(answer.isSuccess, "\(answer.head)")
            #expect(answer.head.lowercased().contains("connection: close"), "\(answer.head)")
            #expect(node.status(within: .seconds(10)) == 0, "\(node.messages)")
            #expect(node.messages.contains(#""event":"stopped""#))
            load.wait()

            let next = try LiveNode(data: folder + "/data")
            defer { next.kill() }
            let wrong = try ledger.check(try next.connect())
            #expect(wrong.isEmpty, "\(wrong)")
            #expect(try next.connect().request("GET", "/v1/raw/kv/in-flight").text == "1234")
        }
    }
}
