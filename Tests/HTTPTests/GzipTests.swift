// gzip by itself: golden bytes, round trips, and input that is not what it should be.
import Base
import HTTP
import Testing

@Suite struct GzipTests {
    private static let plain = Bytes(String(repeating: "{\"a\":1}\n", count: 4).utf8)
    /// As another program's zlib writes them at this level. The header holds no time.
    private static let golden: Bytes = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x03, 0xAB, 0x56, 0x4A, 0x54,
        0xB2, 0x32, 0xAC, 0xE5, 0xAA, 0xC6, 0x41, 0x03, 0x00, 0x07, 0x2A, 0x48, 0x90, 0x20,
        0x00, 0x00, 0x00,
    ]

    private static func decode(_ bytes: Bytes) -> Result<Bytes, GzipDecoder.Failure> {
        decode([bytes])
    }

    private static func decode(_ pieces: [Bytes]) -> Result<Bytes, GzipDecoder.Failure> {
        let decoder = GzipDecoder()
        var out = Bytes()
        for piece in pieces {
            let outcome = piece.withUnsafeBytes { bytes in
                decoder.feed(bytes) {
                    out.append(contentsOf: $0)
                    return true
                }
            }
            if case .failed(let failure) = outcome { return .failure(failure) }
        }
        #expect(decoder.received == pieces.reduce(0) { $0 + $1.count })
        return decoder.isDone ? .success(out) : .failure(.truncated)
    }

    @Test func aSmallMessageIsTheseBytes() {
        let encoder = GzipEncoder(inputMax: 100)
        #expect(encoder.encode(Self.plain) == Self.golden)
        // What came before leaves no trace.
        _ = encoder.encode(Bytes(repeating: 7, count: 100))
        #expect(encoder.encode(Self.plain) == Self.golden)
        #expect(Self.decode(Self.golden) == .success(Self.plain))
    }

    @Test func headersMayHoldWhatTheFormatAllows() {
        // FTEXT, FEXTRA, FNAME and FCOMMENT (RFC 1952 §2.3.1).
        var bytes: Bytes = [0x1F, 0x8B, 8, 0x1D, 1, 2, 3, 4, 0, 255, 3, 0, 9, 9, 9]
        bytes += Bytes("name\0comment\0".utf8) + Self.golden.dropFirst(10)
        #expect(Self.decode(bytes) == .success(Self.plain))
        bytes[3] |= 0x20
        #expect(Self.decode(bytes) == .failure(.malformed), "a reserved flag")
    }

    @Test func anEndAnywhereIsSeen() {
        for count in Self.golden.indices {
            let outcome = Self.decode(Bytes(Self.golden[..<count]))
            #expect(outcome == .failure(.truncated), "\(count)")
        }
    }

    @Test func splittingItAnywhereChangesNothing() {
        #expect(Self.decode(Self.golden.map { [$0] }) == .success(Self.plain))
        for first in 0...Self.golden.count {
            for second in first...Self.golden.count {
                let pieces = [
                    Self.golden[..<first], Self.golden[first..<second], Self.golden[second...],
                ].map { Bytes($0) }
                #expect(Self.decode(pieces) == .success(Self.plain), "\(first), \(second)")
            }
        }
    }

    @Test func whatFollowsIsRefused() {
        #expect(Self.decode(Self.golden + [0]) == .failure(.trailing))
        #expect(Self.decode(Self.golden + Self.golden) == .failure(.trailing))
        #expect(Self.decode([Self.golden, [0]]) == .failure(.trailing))
        #expect(Self.decode([Self.golden, Self.golden]) == .failure(.trailing))
    }

    /// Time, extra flags and system (bytes 4 to 9) mean nothing, nor do the bits that fill up the
    /// last byte before the checksum; every other bit is checked.
    @Test func noBitMayFlip() {
        for index in Self.golden.indices where !(4..<10).contains(index) {
            for bit in 0..<8 {
                var bytes = Self.golden
                bytes[index] ^= 1 << UInt8(bit)
                let outcome = Self.decode(bytes)
                let isPadding = index == Self.golden.count - 9
                #expect(
                    outcome != .success(Self.plain) || index == 3 || isPadding, "\(index), \(bit)")
                if case .success(let other) = outcome { #expect(other == Self.plain) }
            }
        }
        #expect(Self.decode(Bytes("{\"ops\":[]}".utf8)) == .failure(.malformed))
        // zlib's own wrapper, and none.
        #expect(Self.decode([0x78, 0x01, 3, 0, 0, 0, 0, 1]) == .failure(.malformed))
        #expect(Self.decode([3, 0]) == .failure(.malformed))
    }

    @Test func aBombIsLeftAsSoonAsNoMoreIsWanted() {
        let zeros = GzipEncoder(inputMax: 8 << 20).encode(Bytes(repeating: 0, count: 8 << 20))
        #expect(zeros.count < 64 << 10)
        var seen = 0
        let outcome = zeros.withUnsafeBytes { bytes in
            GzipDecoder().feed(bytes) { piece in
                seen += piece.count
                return seen <= 1 << 20
            }
        }
        #expect(outcome == .stopped)
        #expect(seen <= 1 << 20 + GzipDecoder.stepBytes)
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func anyBytesComeBack(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let encoder = GzipEncoder(inputMax: 1 << 18)
        for size in [0, 1, 100, 5_000, GzipDecoder.stepBytes, 1 << 18] {
            let count = seed == 1 ? size : Int.random(in: 0...size, using: &generator)
            // From one letter over and over to noise that grows.
            let letters = UInt8.random(in: 1...255, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...letters, using: &generator) }
            let coded = encoder.encode(bytes)
            let cut = Int.random(in: 0...coded.count, using: &generator)
            let pieces = [Bytes(coded[..<cut]), Bytes(coded[cut...])]
            #expect(Self.decode(pieces) == .success(bytes), "seed \(seed), \(count), \(cut)")
        }
    }
}
