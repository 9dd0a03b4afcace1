// A file system that is full: writes say so, reads and deletes go on, nothing acknowledged is
// lost, and writes are taken again as soon as there is space, without a restart.
import Foundation
import Testing

@Suite(.serialized) struct DiskFullTests {
    @Test func aLargerDiskBringsWritesBack() throws {
        try withSmallDisk { disk in
            let ledger = Ledger()
            var node = try disk.start()
            defer { node.kill() }
            var count = try fill(node, ledger, from: 0)
            let wire = try node.connect()
            let first = try #require(ledger.keys.first)
            // Reading and deleting go on.
            #expect(try wire.request("GET", "/v1/raw/kv/\(first)").status == 200)
            ledger.sends(nil, to: first)
            #expect(try wire.request("DELETE", "/v1/raw/kv/\(first)").isSuccess)
            ledger.acknowledged(nil, first)
            #expect(try wire.request("GET", "/v1/raw/kv/\(first)").status == 404)
            // So does a crash and a start while there is no space.
            node.kill()
            node = try disk.start()
            #expect(try ledger.check(try node.connect()) == [])

            try disk.resize(mebibytes: 128)
            // Larger than what a disk has left that was full for the writes before.
            try expectWritesAgain(node, size: 1 << 20)
            let before = count
            count = try fill(node, ledger, from: count)
            #expect(count > before + 64, "a part of what the disk gained was used")
            #expect(try ledger.check(try node.connect()) == [])
        }
    }

    /// Other programs have every byte, again and again: a start works by what was set aside, and
    /// it is set aside anew once there is room.
    @Test func aNodeStartsOnADiskWithoutAByte() throws {
        try withSmallDisk { disk in
            let ledger = Ledger()
            var node = try disk.start()
            defer { node.kill() }
            for round in 0..<2 {
                try expectWritesAgain(node, "round-\(round)")
                let wire = try node.connect()
                for number in 0..<40 {
                    let key = "\(round)-\(number)"
                    let value = Ledger.value(key, size: 64 << 10)
                    ledger.sends(value, to: key)
                    try #require(try wire.request("PUT", "/v1/raw/kv/\(key)", value).isSuccess)
                    ledger.acknowledged(value, key)
                }
                #expect(try poll(.seconds(20)) { try disk.holdsReserve() }, "round \(round)")
                node.kill()
                try disk.fill()
                node = try disk.start()
                #expect(try ledger.check(try node.connect()) == [])
                #expect(try node.connect().request("PUT", "/v1/raw/kv/x", [1]).status == 507)
                try disk.empty()
            }
            try expectWritesAgain(node)
        }
    }

    /// Nothing in the store: what is known of the disk comes from the look before the start.
    @Test func aNodeThatStartsOnAFullDiskRefusesItsFirstWrite() throws {
        try withSmallDisk { disk in
            try disk.fill(leavingMebibytes: 4)
            let node = try disk.start()
            defer { node.kill() }
            let answer = try node.connect().request("PUT", "/v1/raw/kv/first", [1])
            #expect(answer.status == 507, "\(answer.text)")
        }
    }

    /// Twice: what the first round left behind must not be missing in the second.
    @Test func deletingBringsWritesBack() throws {
        try withSmallDisk { disk in
            let ledger = Ledger()
            let node = try disk.start()
            defer { node.kill() }
            let first = try fill(node, ledger, from: 0)
            let wire = try node.connect()
            for number in 0..<first / 2 {
                let key = "full-\(number)"
                ledger.sends(nil, to: key)
                let answer = try wire.request("DELETE", "/v1/raw/kv/\(key)")
                try #require(answer.isSuccess, "\(answer.text)")
                ledger.acknowledged(nil, key)
            }
            // As much room as that, and not only enough for one small write.
            for number in first..<first + first / 4 {
                try expectWritesAgain(node, "full-\(number)", size: 128 << 10)
            }
            try expectWritesAgain(node)
            #expect(try ledger.check(wire) == [])

            _ = try fill(node, ledger, from: 2 * first)
            let body = Array(#"{"prefix":"full-"}"#.utf8)
            let deleted = try wire.request("POST", "/v1/raw/delete-range", body)
            try #require(deleted.isSuccess, "\(deleted.text)")
            for key in ledger.keys { ledger.acknowledged(nil, key) }
            for number in 0..<first / 2 {
                try expectWritesAgain(node, "new-\(number)", size: 128 << 10)
            }
            #expect(try ledger.check(wire) == [])
        }
    }

    /// Values that nobody will read again take up the disk: they go without a single delete.
    @Test func whatHasExpiredMakesRoom() throws {
        try withSmallDisk { disk in
            let node = try disk.start()
            defer { node.kill() }
            _ = try fill(node, Ledger(), from: 0, query: "?ttl_seconds=1")
            try expectWritesAgain(node)
        }
    }

    /// Writes until the answer is 507; the number of the next key.
    private func fill(
        _ node: LiveNode, _ ledger: Ledger, from start: Int, query: String = ""
    ) throws -> Int {
        let wire = try node.connect()
        // Twice what the largest disk here takes; what compresses would take for ever.
        for number in start..<start + 2_048 {
            let key = "full-\(number)"
            let value = Ledger.value(key, size: 128 << 10)
            ledger.sends(value, to: key)
            let answer = try wire.request("PUT", "/v1/raw/kv/\(key)\(query)", value)
            if answer.status == 507 {
                #expect(answer.text.contains(#""code":"disk_full""#), "\(answer.text)")
                #expect(number > start, "not one write was taken")
                ledger.refused(key)
                return number + 1
            }
            try #require(answer.isSuccess, "\(number): \(answer.head) \(answer.text)")
            ledger.acknowledged(value, key)
        }
        throw WireError(description: "the disk never became full")
    }

    private func expectWritesAgain(
        _ node: LiveNode, _ key: String = "again", size: Int = 3
    ) throws {
        let wire = try node.connect()
        let value = Ledger.value(key, size: size)
        var last = ""
        let isWritable = try poll(.seconds(20)) {
            let answer = try wire.request("PUT", "/v1/raw/kv/\(key)", value)
            last = answer.text
            // Asked ten times a second, not as fast as it goes.
            if !answer.isSuccess { usleep(100_000) }
            return answer.isSuccess
        }
        try #require(isWritable, "still refused: \(last)")
    }
}
