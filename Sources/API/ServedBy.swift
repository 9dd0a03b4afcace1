/// Whose data an answer is made of, as `Martlet-Served-By` says it: `store=3 role=leader`.
package import Base
package import Regions

package struct ServedBy: Hashable, Sendable {
    package var store: StoreID
    package var role: ServingRole

    package init(store: StoreID, role: ServingRole) {
        self.store = store
        self.role = role
    }

    /// Bytes that `write` may need: the words, and a number of 32 bits.
    package static let countMax = 6 + 10 + 14

    /// Writes the field's value; returns how many bytes. Of what stands there before nothing is
    /// read.
    // Hot path: nearly every answer has it.
    package func write(to bytes: UnsafeMutablePointer<UInt8>) -> Int {
        var count = 0
        func put(_ text: StaticString) {
            (bytes + count).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
            count += text.utf8CodeUnitCount
        }
        put("store=")
        var divisor: UInt32 = 1
        while store.number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes[count] = UInt8(ascii: "0") + UInt8(store.number / divisor % 10)
            count += 1
            divisor /= 10
        }
        switch role {
        case .leader: put(" role=leader")
        case .follower: put(" role=follower")
        }
        return count
    }

    package var text: Bytes {
        Bytes(unsafeUninitializedCapacity: Self.countMax) { room, count in
            if let start = room.baseAddress { count = write(to: start) }
        }
    }
}

/// A stamp with the store that it came from.
package struct Served: Hashable, Sendable {
    package var store: StoreID
    package var stamp: ReplicaStamp

    package init(_ stamp: ReplicaStamp, store: StoreID) {
        self.store = store
        self.stamp = stamp
    }
}
