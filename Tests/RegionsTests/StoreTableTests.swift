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

    @Test func whatIsBrokenIsAnError() {
        let bytes = Self.table.encoded
        #expect(throws: DecodeError.self) { try StoreTable(decoding: []) }
        #expect(throws: DecodeError.self) { try StoreTable(decoding: [8, 2]) }
        #expect(throws: DecodeError.self) { try StoreTable(decoding: [8, 1, 26, 2, 8, 0]) }
        for end in bytes.indices { _ = try? StoreTable(decoding: Bytes(bytes[..<end])) }
    }
}
