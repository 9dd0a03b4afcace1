// The data directory: its lock, its identity, and each way in which it refuses.
import Base
import Foundation
import RocksStorage
import Storage
import Testing

@Suite struct DataDirectoryTests {
    private let folder = TemporaryFolder()
    private let now = WallTime(milliseconds: 1_763_834_280_123)

    private var path: String { folder.path + "/data" }

    private func take(_ path: String? = nil, seed: UInt64 = 1) throws -> DataDirectory {
        var generator = SeededGenerator(seed: seed)
        return try DataDirectory(path: path ?? self.path, now: now, using: &generator)
    }

    private func refusal(_ path: String? = nil) -> DataDirectoryError? {
        do {
            _ = try take(path, seed: 2)
            return nil
        } catch {
            return error as? DataDirectoryError
        }
    }

    private func write(_ text: String, _ name: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }

    private func mode(_ path: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    // The same at each try, whatever came in between; and none once there is a store.
    @Test func whoAsksAClusterAgainSaysTheSame() throws {
        var generator = SeededGenerator(seed: 1)
        let nonce = try DataDirectory.joiningNonce(path, using: &generator)
        #expect(nonce.count == 32)
        let again = try DataDirectory.joiningNonce(path, using: &generator)
        #expect(again == nonce)
        #expect(try DataDirectory.inspect(path) == .empty)
        let other = try DataDirectory.joiningNonce(path + "/other", using: &generator)
        #expect(other != nonce)
        try FileManager.default.removeItem(atPath: path + "/other")
        try write("half", "JOINING")
        let fresh = try DataDirectory.joiningNonce(path, using: &generator)
        #expect(fresh != nonce && fresh.count == 32)
        _ = try take(path)
        #expect(!FileManager.default.fileExists(atPath: path + "/JOINING"))
    }

    // History: killed between its identity and the removal of what it had asked with, a store kept
    // that for ever; and once wiped but for that file it would have got its old number again.
    @Test func whatAStoreAskedWithGoesWithItsNextStartAtTheLatest() throws {
        _ = try take()
        var generator = SeededGenerator(seed: 1)
        _ = try DataDirectory.joiningNonce(path, using: &generator)
        #expect(FileManager.default.fileExists(atPath: path + "/JOINING"))
        _ = try take()
        #expect(!FileManager.default.fileExists(atPath: path + "/JOINING"))
    }

    @Test func aNewDirectoryIsMadeForItsOwnerAlone() throws {
        let deep = path + "/a/b"
        let directory = try take(deep)
        #expect(try mode(deep) == 0o700)
        #expect(try mode(deep + "/IDENTITY") == 0o600)
        #expect(directory.identity.store == 1)
        #expect(directory.identity.created == now)
        #expect(directory.identity.cluster.count == 32)
        #expect(!directory.identity.hasDatabase)
    }

    @Test func theIdentityStays() throws {
        let first = try take(seed: 1).identity
        #expect(try take(seed: 2).identity == first)
    }

    /// Golden bytes.
    @Test func identityFile() throws {
        var generator = SeededGenerator(seed: 7)
        let identity = StoreIdentity(created: now, using: &generator)
        let text = String(decoding: identity.encoded, as: UTF8.self)
        #expect(
            text == """
                martlet data directory
                format: 2
                cluster: b358faf74ef9765a475c3d964f482cd2
                name: fleet-fulmar
                store: 1
                created: 1763834280123
                database: no
                checksum: 1b5544af40106e18f89df7a2c02b9122

                """)
        #expect(try StoreIdentity(decoding: identity.encoded) == identity)
    }

    @Test func whoGoesOnKeepsItsNumberAndRemembersWhoItWas() throws {
        var generator = SeededGenerator(seed: 7)
        let first = StoreIdentity(created: now, using: &generator)
        let second = first.parted(using: &generator)
        let third = second.parted(using: &generator)
        #expect(Set([first.cluster, second.cluster, third.cluster]).count == 3)
        #expect(third.former == [first.cluster, second.cluster])
        #expect(third.store == first.store && third.clusterName == first.clusterName)
        #expect(try StoreIdentity(decoding: third.encoded) == third)
        let text = String(decoding: third.encoded, as: UTF8.self)
        #expect(
            text.contains("database: no\nformer: \(first.cluster)\nformer: \(second.cluster)\n"))
    }

    @Test func everyDamageToTheIdentityIsFound() throws {
        var generator = SeededGenerator(seed: 7)
        let bytes = StoreIdentity(created: now, using: &generator).encoded
        for offset in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[offset] ^= 1 << UInt8(bit)
                let fault = #expect(throws: StoreIdentity.Fault.self) {
                    _ = try StoreIdentity(decoding: damaged)
                }
                if case .newerFormat = fault { Issue.record("bit \(bit) of byte \(offset)") }
            }
            #expect(throws: StoreIdentity.Fault.self) {
                _ = try StoreIdentity(decoding: Bytes(bytes[..<offset]))
            }
        }
    }

    @Test func aDirectoryInUseNamesItsHolder() throws {
        let directory = try take()
        let expected = DataDirectoryError.inUse(
            path: path,
            holder: .init(pid: getpid(), since: now, command: commandLine()))
        #expect(refusal() == expected)
        withExtendedLifetime(directory) {}
    }

    private func commandLine() -> String {
        let joined = CommandLine.arguments.joined(separator: " ")
        return String(decoding: Array(joined.utf8.prefix(256)), as: UTF8.self)
            .trimmingCharacters(in: .whitespaces)
    }

    @Test func theLockEndsWithItsHolder() throws {
        do { _ = try take() }
        #expect(refusal() == nil)
    }

    @Test func anOpenDatabaseHoldsTheDirectory() throws {
        var engine: RocksEngine?
        do { engine = try take().openStore(.small).engine }
        #expect(refusal()?.code == "data_in_use")
        var view: (any EngineView)? = engine?.view()
        engine = nil
        #expect(refusal()?.code == "data_in_use")
        view = nil
        #expect(view == nil && refusal() == nil)
    }

    @Test func aNewerFormatIsRefused() throws {
        let identity = try take().identity
        let body =
            String(decoding: identity.encoded, as: UTF8.self)
            .split(separator: "\n").dropLast().joined(separator: "\n")
            .replacingOccurrences(of: "format: 2", with: "format: 3") + "\nnew: thing\n"
        try write(body + "checksum: \(checksum(body))\n", "IDENTITY")
        #expect(refusal() == .newerFormat(path: path, found: 3, supported: 2))
    }

    /// Of a version that was never released: nothing converts it.
    @Test func anOlderFormatIsRefused() throws {
        let identity = try take().identity
        let body =
            String(decoding: identity.encoded, as: UTF8.self)
            .split(separator: "\n").dropLast().joined(separator: "\n")
            .replacingOccurrences(of: "format: 2", with: "format: 1") + "\n"
        try write(body + "checksum: \(checksum(body))\n", "IDENTITY")
        #expect(refusal() == .olderFormat(path: path, found: 1, supported: 2))
    }

    private func checksum(_ body: String) -> String {
        let sum = Fingerprint(of: Bytes(body.utf8))
        return [sum.high, sum.low].map { number in
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }

    @Test func aDamagedIdentityIsRefused() throws {
        do { _ = try take() }
        try write("martlet data directory\nformat: 2\n", "IDENTITY")
        #expect(
            refusal()
                == .corrupt(
                    path: path + "/IDENTITY", detail: "the last line should be the checksum"))
        try write("", "IDENTITY")
        #expect(refusal()?.code == "data_corrupt")
    }

    @Test func somebodyElsesFolderIsRefusedAndLeftAlone() throws {
        mkdir(path, 0o755)
        try write("mine", "notes.txt")
        #expect(refusal() == .belongsToOther(path: path, found: "notes.txt"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["notes.txt"])
    }

    @Test func anIdentityThatIsGoneIsNotMadeAnew() throws {
        do { _ = try take().openStore(.small) }
        unlink(path + "/IDENTITY")
        #expect(refusal() == .belongsToOther(path: path, found: "db"))
    }

    @Test func aFirstStartThatWasInterruptedGoesOn() throws {
        mkdir(path, 0o700)
        try write("pid: 1\n", "LOCK")
        try write("martlet da", "IDENTITY.new")
        #expect(refusal() == nil)
        // Killed between making the database and noting so.
        do { _ = try RocksEngine(path: path + "/db", options: .small, creating: true, lease: 0) }
        #expect(try take().openStore(.small).engine.get(.raw, Key([1]), tier: .disk) == .missing)
    }

    @Test func aFileIsNoDirectory() throws {
        try "x".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(refusal() == .notDirectory(path: path))
        #expect(refusal(path + "/below") == .notDirectory(path: path + "/below"))
    }

    @Test func aFolderThatCannotBeWrittenIsRefused() throws {
        #expect(refusal("/sys/martlet")?.code == "data_unwritable")
    }

    @Test func aDatabaseThatIsGoneIsNotMadeAnew() throws {
        do { _ = try take().openStore(.small) }
        try FileManager.default.removeItem(atPath: path + "/db")
        #expect(throws: StorageError.self) { _ = try take().openStore(.small) }
        #expect(!FileManager.default.fileExists(atPath: path + "/db/CURRENT"))
    }

    /// Each of the two, from a store of another cluster, and one that does not say whose it is.
    @Test(arguments: ["log", "db"]) func whatBelongsToAnotherStoreIsRefused(name: String) throws {
        do { _ = try take().openStore(.small) }
        do { _ = try take(folder.path + "/other", seed: 3).openStore(.small) }
        let other = folder.path + "/other/" + name
        func reason() throws -> String {
            do {
                _ = try take().openStore(.small)
                return "opened"
            } catch StorageError.corrupt(let reason) {
                return reason
            }
        }
        try FileManager.default.moveItem(atPath: path + "/" + name, toPath: path + "-away")
        try FileManager.default.copyItem(atPath: other, toPath: path + "/" + name)
        #expect(try reason().contains("/\(name) is of another store (cluster: "))
        unlink(path + "/" + name + "/OWNER")
        #expect(try reason().contains("/\(name) does not say whose it is"))
        try FileManager.default.removeItem(atPath: path + "/" + name)
        try FileManager.default.moveItem(atPath: path + "-away", toPath: path + "/" + name)
        #expect(try reason() == "opened")
    }

    @Test func spaceAndUse() throws {
        let directory = try take()
        let space = try directory.space()
        #expect(space.free > 0 && space.free <= space.capacity)
        let before = try directory.bytesUsed()
        _ = try directory.openStore(.small)
        #expect(try directory.bytesUsed() > before)
    }

    @Test func theMachineIsMeasured() {
        let machine = MachineResources.measured()
        #expect(machine.memoryBytes > 64 << 20)
        #expect((1...4096).contains(machine.cores))
        #expect(machine.fileDescriptors >= 64)
        let options = RocksOptions(for: machine, diskBytes: 1 << 40)
        #expect(options.memoryBound < machine.memoryBytes)
    }

    // History: a table of stores behind the first 64 KiB was cut off without a word.
    @Test func aFileIsReadAsAWholeOrNotAtAll() throws {
        let directory = try take()
        let large = Bytes(repeating: 7, count: 200_000)
        try directory.writeStores(large)
        #expect(try directory.readStores() == large)
        let most = Bytes(repeating: 7, count: Limits.wholeFileBytes)
        try directory.writeStores(most)
        #expect(try directory.readStores()?.count == most.count)
        try directory.writeStores(most + [7])
        #expect(throws: StorageError.self) { try directory.readStores() }
    }
}
