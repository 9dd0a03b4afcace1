// A file system with room but without inodes: the same refusal as of a full one, with what is
// missing by its name, and nothing ends.
import Foundation
import Testing

@Suite(.serialized) struct InodeTests {
    @Test func withoutInodesWritesAreRefusedUntilThereAreSome() throws {
        try withSmallDisk("size=64m,nr_inodes=1000") { disk in
            let ledger = Ledger()
            var node = try disk.start()
            defer { node.kill() }
            var wire = try node.connect()
            #expect(try put(wire, ledger, "before").isSuccess)
            try disk.fillFiles()
            var last: Wire.Answer?
            let isRefused = try poll(.seconds(20)) {
                last = try put(wire, ledger, "while")
                return last?.status == 507
            }
            let answer = try #require(last)
            try #require(isRefused, "\(answer.text)")
            #expect(answer.text.contains(#""code":"disk_full""#) && answer.text.contains("df -i"))
            let readiness = try wire.request("GET", "/readyz?verbose=true")
            #expect(readiness.status == 503 && readiness.text.contains("inodes are free"))
            #expect(try wire.request("GET", "/v1/raw/kv/before").isSuccess)

            try disk.removeFiles()
            let isWritable = try poll(.seconds(20)) { try put(wire, ledger, "after").isSuccess }
            #expect(isWritable && node.status(within: .zero) == nil, "\(node.messages)")

            #expect(try poll(.seconds(20)) { try disk.holdsReserve() })
            node.kill()
            try disk.fillFiles()
            node = try disk.start()
            wire = try node.connect()
            #expect(try ledger.check(wire) == [])
            #expect(try put(wire, ledger, "still").status == 507)
        }
    }

    @Test func aStartWithoutInodesSaysSo() throws {
        try withSmallDisk("size=64m,nr_inodes=20") { disk in
            let node = try LiveNode(
                data: disk.folder + "/data", prefix: disk.enter, isAwaited: false)
            defer { node.kill() }
            let status = try #require(node.status(within: .seconds(20)))
            #expect(status >> 8 & 0xFF == 74, "\(node.messages)")
            #expect(node.messages.contains(#""code":"no_inodes""#))
            #expect(node.messages.contains("df -i"))
        }
    }

    private func put(_ wire: Wire, _ ledger: Ledger, _ key: String) throws -> Wire.Answer {
        let value = Ledger.value(key, size: 100)
        ledger.sends(value, to: key)
        let answer = try wire.request("PUT", "/v1/raw/kv/\(key)", value)
        if answer.isSuccess { ledger.acknowledged(value, key) } else { ledger.refused(key) }
        return answer
    }
}
