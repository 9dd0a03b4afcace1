// Records on a stream, however the bytes are cut.
import Base
import Peers
import Testing

@Suite struct RecordStreamTests {
    static let records: [Bytes] = [[], [1], Bytes(repeating: 7, count: 300), [2, 3]]

    static var stream: Bytes { records.reduce(into: []) { $0 += .record($1) } }

    @Test(arguments: 1..<20) func pieceByPiece(size: Int) throws {
        var reader = RecordReader(limit: 300)
        var found: [Bytes] = []
        var rest = Self.stream[...]
        while !rest.isEmpty {
            reader.append(Bytes(rest.prefix(size)))
            rest = rest.dropFirst(size)
            while let record = try reader.next() { found.append(record) }
        }
        #expect(found == Self.records)
        #expect(reader.byteCount == 0)
    }

    @Test func theLengthStandsInFourBytes() {
        #expect(Bytes.record([9, 8]) == [2, 0, 0, 0, 9, 8])
        #expect(Bytes.record(Bytes(repeating: 0, count: 258)).prefix(4) == [2, 1, 0, 0])
    }

    @Test func aLengthIsLookedAtFirst() throws {
        var reader = RecordReader(limit: 10)
        reader.append([11, 0, 0])
        #expect(try reader.next() == nil)
        reader.append([0])
        #expect(throws: DecodeError.self) { try reader.next() }
    }
}
