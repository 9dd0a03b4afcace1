/// The stores of a cluster and where they are reached: one record in the group's data, so that
/// every store has it and none needs another to find the rest. See `records.proto`.
///
/// Who belongs to a group is in its membership alone; this only tells where they are, and which
/// numbers were given away, for a store's number is never given again.
package import Base

package struct StoreTable: Hashable, Sendable {
    /// The number that a new store gets, if no member has a greater one.
    package var next: UInt32 = 2
    /// Where each is reached, by its own word.
    package private(set) var addresses: [StoreID: String] = [:]
    /// What those said who asked for a number, so that whoever asks again gets the same one.
    private var nonces: [StoreID: String] = [:]

    package init() {}

    package subscript(_ store: StoreID) -> String? {
        get { addresses[store] }
        set {
            addresses[store] = newValue
            if newValue == nil { nonces[store] = nil }
        }
    }

    package mutating func add(_ store: StoreID, at address: String, nonce: String?) {
        addresses[store] = address
        nonces[store] = nonce
    }

    /// Whoever asked with it.
    package func store(withNonce nonce: String) -> StoreID? {
        nonces.filter { $0.value == nonce }.keys.max { $0.number < $1.number }
    }

    /// A number that was given once and whose store is one no more.
    package func hasRemoved(_ store: StoreID) -> Bool {
        !addresses.isEmpty && store.number < next && addresses[store] == nil
    }

    /// Where it stands in the meta family; frozen.
    package static let key = Key(utf8: "stores")

    package var encoded: Bytes {
        var bytes = Bytes()
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: UInt64(next))
        for (store, address) in addresses.sorted(by: { $0.key < $1.key }) {
            bytes.appendMessage(3) { bytes in
                bytes.appendField(1, varint: UInt64(store.number))
                bytes.appendField(2, bytes: Bytes(address.utf8))
                if let nonce = nonces[store] { bytes.appendField(3, bytes: Bytes(nonce.utf8)) }
            }
        }
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        var reader = WireReader(bytes)
        var version = RecordVersion(of: "a table of stores")
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: next = UInt32(clamping: try reader.varint(field))
            case 3: try readStore(reader.message(field))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
    }

    private mutating func readStore(_ reader: WireReader) throws(DecodeError) {
        var reader = reader
        var (number, address) = (0 as UInt64, Bytes())
        var nonce: Bytes?
        while let field = try reader.next() {
            switch field.number {
            case 1: number = try reader.varint(field)
            case 2: address = Bytes(reader.bytes[try reader.bytes(field)])
            case 3: nonce = Bytes(reader.bytes[try reader.bytes(field)])
            default: try reader.skip(field)
            }
        }
        guard let number = UInt32(exactly: number), number > 0,
            let text = String(validating: address, as: UTF8.self)
        else { throw DecodeError(expected: "a store and its address", offset: reader.end) }
        addresses[StoreID(number)] = text
        nonces[StoreID(number)] = nonce.flatMap { String(validating: $0, as: UTF8.self) }
    }
}
