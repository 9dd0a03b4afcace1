// The Protocol Buffers wire format: the examples of its specification, every short input, and
// damage.
import Base
import Testing

/// A message of everything that the reader reads, to try it with.
private struct Sample: Hashable {
    var number: UInt64 = 0
    var signed: Int64 = 0
    var flag = false
    var word: UInt64 = 0
    var text: Bytes = []
    var list: [UInt64] = []
    var maybe: UInt64?
    var nested: [Sample] = []

    init() {}

    func append(to bytes: inout Bytes) {
        bytes.appendField(1, varint: number)
        bytes.appendField(2, zigzag: signed)
        bytes.appendField(3, bool: flag)
        bytes.appendField(4, fixed64: word)
        bytes.appendField(5, bytes: text)
        bytes.appendField(6, packed: list)
        bytes.appendField(7, optionalVarint: maybe)
        for each in nested { bytes.appendMessage(8) { each.append(to: &$0) } }
    }

    var encoded: Bytes {
        var bytes = Bytes()
        append(to: &bytes)
        return bytes
    }

    init(decoding bytes: Bytes) throws(DecodeError) { try self.init(WireReader(bytes)) }

    init(_ reader: WireReader) throws(DecodeError) {
        var reader = reader
        while let field = try reader.next() {
            switch field.number {
            case 1: number = try reader.varint(field)
            case 2: signed = try reader.zigzag(field)
            case 3: flag = try reader.bool(field)
            case 4: word = try reader.fixed64(field)
            case 5: text = Bytes(reader.bytes[try reader.bytes(field)])
            case 6: try reader.numbers(field, into: &list)
            case 7: maybe = try reader.varint(field)
            case 8: nested.append(try Sample(reader.message(field)))
            default: try reader.skip(field)
            }
        }
    }

    init(_ generator: inout SeededGenerator, depth: Int = 2) {
        number = Self.draw(&generator)
        signed = Int64(bitPattern: Self.draw(&generator))
        if generator.chance(1, in: 2) { signed = -(signed / 2) }
        flag = generator.chance(1, in: 2)
        word = Self.draw(&generator)
        text = Bytes(repeating: 7, count: Int.random(in: 0...200, using: &generator))
        list = (0..<Int.random(in: 0...5, using: &generator)).map { _ in Self.draw(&generator) }
        maybe = generator.chance(1, in: 2) ? Self.draw(&generator) : nil
        guard depth > 0 else { return }
        nested = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
            Sample(&generator, depth: depth - 1)
        }
    }

    /// Of any length in bits.
    private static func draw(_ generator: inout SeededGenerator) -> UInt64 {
        generator.next() >> UInt64.random(in: 0...63, using: &generator)
    }
}

@Suite struct WireTests {
    /// From the encoding guide of Protocol Buffers.
    @Test func examplesOfTheSpecification() throws {
        var sample = Sample()
        sample.number = 150
        #expect(sample.encoded == [0x08, 0x96, 0x01])
        sample = Sample()
        sample.text = Bytes("testing".utf8)
        #expect(sample.encoded == [0x2A, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67])
        sample = Sample()
        sample.list = [3, 270, 86942]
        #expect(sample.encoded == [0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05])
        // The same list, not packed, and in two parts.
        let unpacked: Bytes = [0x30, 0x03, 0x30, 0x8E, 0x02, 0x32, 0x03, 0x9E, 0xA7, 0x05]
        #expect(try Sample(decoding: unpacked) == sample)
        for (value, coded) in [(0, 0), (-1, 1), (1, 2), (-2, 3), (.max, .max - 1), (.min, .max)]
            as [(Int64, UInt64)]
        {
            var bytes = Bytes()
            bytes.appendField(2, zigzag: value)
            var expected = Bytes()
            expected.appendField(2, varint: coded)
            #expect(bytes == expected)
            #expect(try Sample(decoding: bytes).signed == value)
        }
    }

    @Test func everyVarintLengthAtItsEdges() throws {
        for bits in 0...64 as ClosedRange<UInt64> {
            let edge: UInt64 = bits == 64 ? .max : 1 << bits
            for value in [edge &- 1, edge, edge &+ 1] {
                var bytes = Bytes()
                bytes.appendVarint(value)
                #expect(bytes.count == Bytes.varintByteCount(value), "\(value)")
                var sample = Sample()
                (sample.number, sample.word, sample.maybe) = (value, value, value)
                #expect(try Sample(decoding: sample.encoded) == sample)
            }
        }
    }

    @Test func unknownFieldsAreSkipped() throws {
        var sample = Sample()
        (sample.number, sample.text) = (5, [1, 2])
        var bytes = Bytes()
        for number in [9, 15, 16, 536_870_911] as [UInt32] {
            bytes.appendField(number, varint: .max)
            bytes.appendField(number, fixed64: .max)
            bytes.appendField(number, bytes: [1, 2, 3])
            bytes.appendTag(number, .fixed32)
            bytes += [1, 2, 3, 4]
        }
        #expect(try Sample(decoding: bytes + sample.encoded + bytes) == sample)
    }

    @Test func errorsSayWhatAndWhere() {
        func error(_ bytes: Bytes) -> String? {
            do throws(DecodeError) {
                _ = try Sample(decoding: bytes)
                return nil
            } catch { return error.description }
        }
        #expect(error([0x08]) == "expected a varint of at most ten bytes at byte 1")
        #expect(error([0x09, 0]) == "expected field 1 as a varint at byte 1")
        #expect(error([0x2A, 5, 1, 1]) == "expected a length of at most 2 at byte 1")
        #expect(error([0x21, 1]) == "expected 8 bytes of a fixed64 at byte 1")
        #expect(error([0x7D, 1]) == "expected 4 bytes of a fixed32 at byte 1")
        #expect(error([0x00]) == "expected a field number from 1 to 536870911 at byte 0")
        #expect(error([0x0B]) == "expected a field of wire type 0, 1, 2 or 5 at byte 0")
        // The 65th bit; the eleventh byte.
        let nine = Bytes(repeating: 0xFF, count: 9)
        #expect(error([0x08] + nine + [2]) == "expected a varint of at most ten bytes at byte 1")
        #expect(error([0x08] + nine + [0x81, 0]) != nil)
        #expect(error([0x08] + nine + [1]) == nil)
        // Inside a nested message, which must not read on beyond its end.
        #expect(error([0x42, 1, 0x08, 0x01]) == "expected a varint of at most ten bytes at byte 3")
    }

    /// All inputs of up to three bytes: read or refused, and what is read is written and read
    /// again.
    @Test func everyShortInput() throws {
        var (read, refused) = (0, 0)
        func check(_ bytes: Bytes) throws {
            let sample: Sample
            do throws(DecodeError) { sample = try Sample(decoding: bytes) } catch {
                if error.offset > bytes.count { Issue.record("\(bytes): \(error)") }
                refused += 1
                return
            }
            read += 1
            if try Sample(decoding: sample.encoded) != sample { Issue.record("\(bytes)") }
        }
        try check([])
        for first in 0...255 as ClosedRange<UInt8> {
            try check([first])
            for second in 0...255 as ClosedRange<UInt8> {
                try check([first, second])
                for third in [0, 1, 2, 0x08, 0x7F, 0x80, 0xFF] as Bytes {
                    try check([first, second, third])
                }
            }
        }
        #expect(read > 10_000 && refused > 100_000, "\(read) \(refused)")
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func randomMessages(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let sample = Sample(&generator)
            let bytes = sample.encoded
            #expect(try Sample(decoding: bytes) == sample, "seed \(seed)")
            for _ in 0..<50 where !bytes.isEmpty {
                var damaged = bytes
                damaged[Int.random(in: 0..<bytes.count, using: &generator)] =
                    UInt8.random(in: 0...255, using: &generator)
                if generator.chance(1, in: 3) {
                    damaged.removeLast(Int.random(in: 0...bytes.count, using: &generator))
                }
                do throws(DecodeError) {
                    let read = try Sample(decoding: damaged)
                    #expect(try Sample(decoding: read.encoded) == read, "seed \(seed)")
                } catch {
                    #expect(error.offset <= damaged.count, "seed \(seed)")
                }
            }
        }
    }
}
