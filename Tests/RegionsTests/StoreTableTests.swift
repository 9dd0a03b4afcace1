// The table of stores as a record.
import Base
import Regions
import Testing

@Suite struct StoreTableTests {
    static var table: StoreTable {
        var table = StoreTable()
        table.next = 4
        table[StoreID(3)] = "http://c:3"
        table[StoreID(1)] = "http://a"
        return table
    }

    // Frozen: the data of every store has it.
    @Test func golden() {
        let golden: Bytes = [
            8, 1, 16, 4, 26, 12, 8, 1, 18, 8, 104, 116, 116, 112, 58, 47, 47, 97, 26, 14, 8, 3, 18,
            10, 104, 116, 116, 112, 58, 47, 47, 99, 58, 51,
        ]
        #expect(Self.table.encoded == golden)
        #expect(StoreTable.key == Key(utf8: "stores"))
    }

    @Test func itComesBack() throws {
        #expect(try StoreTable(decoding: Self.table.encoded) == Self.table)
        #expect(try StoreTable(decoding: StoreTable().encoded) == StoreTable())
    }

    @Test func whoAskedIsKnownByItsNonceUntilItIsGone() throws {
        var table = Self.table
        table.add(StoreID(2), at: "http://b", nonce: "n2")
        #expect(Self.table.encoded.count + 18 == table.encoded.count)
        table = try StoreTable(decoding: table.encoded)
        #expect(table.store(withNonce: "n2") == StoreID(2))
        #expect(table.store(withNonce: "n3") == nil)
        #expect(!table.hasRemoved(StoreID(2)))
        table[StoreID(2)] = nil
        #expect(table.store(withNonce: "n2") == nil)
        #expect(table.hasRemoved(StoreID(2)))
        #expect(!table.hasRemoved(StoreID(3)) && !table.hasRemoved(StoreID(4)))
        // Of a store that has not heard of any yet.
        #expect(!StoreTable().hasRemoved(StoreID(1)))
    }

    @Test func whatIsBrokenIsAnError() {
        let bytes = Self.table.encoded
        #expect(throws: DecodeError.self) { try StoreTable(decoding: []) }
        #expect(throws: DecodeError.self) { try StoreTable(decoding: [8, 2]) }
        #expect(throws: DecodeError.self) { try StoreTable(decoding: [8, 1, 26, 2, 8, 0]) }
        for end in bytes.indices { _ = try? StoreTable(decoding: Bytes(bytes[..<end])) }
    }
}
