// A history for crashes: a store that was killed tells how far it came, and what it has to hold.
import Base
import EngineSuite
import Foundation
import Storage

/// An endless history in which batch n can be made from n alone and writes n down, so that a store
/// tells how far it came and the model can follow.
struct NumberedHistory: Codable, Sendable {
    var seed: UInt64
    var largestValue: Int

    static let counter: Bytes = [0xC0]

    func batch(_ number: UInt64) -> [ModelWrite] {
        var generator = SeededGenerator(seed: seed &* 1_000_003 &+ number)
        var digits = Bytes()
        digits.appendUInt64(number)
        var writes: [ModelWrite] = [.put(.meta, Self.counter, digits)]
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let key: Bytes = [UInt8.random(in: 0..<40, using: &generator)]
            switch UInt64.random(in: 0..<10, using: &generator) {
            case 0: writes.append(.deleteRange(.raw, from: key, to: [key[0] + 3]))
            case 1: writes.append(.delete(.raw, key))
            default:
                let large = generator.chance(1, in: 30)
                let count = Int.random(in: 0...(large ? largestValue : 30), using: &generator)
                writes.append(
                    .put(
                        .raw, key, Bytes(repeating: UInt8(truncatingIfNeeded: number), count: count)
                    ))
            }
        }
        return writes
    }

    func model(upTo number: UInt64) -> Model {
        var model = Model()
        if number > 0 { for each in 1...number { model.apply(batch(each)) } }
        return model
    }

    /// How far a store came, after checking that it holds exactly the batches up to there.
    func verify(_ engine: any KeyValueEngine) throws -> UInt64 {
        var number: UInt64 = 0
        if case .found(let digits) = try engine.get(.meta, Key(Self.counter), tier: .disk) {
            var cursor = ByteCursor(digits)
            number = try cursor.readUInt64()
        }
        try Comparison(model(upTo: number), engine.view(), "after batch \(number)")
            .checkWhole(keys: [])
        return number
    }
}

/// The last whole one of the numbers that a child has noted.
func lastNumber(in path: String) throws -> UInt64 {
    guard let data = FileManager.default.contents(atPath: path) else { return 0 }
    let bytes = Bytes(data)
    guard bytes.count >= 8 else { return 0 }
    var cursor = ByteCursor(bytes, at: bytes.count / 8 * 8 - 8)
    return try cursor.readUInt64()
}
