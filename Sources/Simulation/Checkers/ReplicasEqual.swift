/// Replicas that have applied the same entries hold the same data, byte for byte, but for values
/// that expire.
internal import Base
internal import Regions
package import Storage

package struct ReplicasEqual {
    /// What differs between the first engine and another one; nil if nothing does.
    package static func difference(
        _ engines: [any KeyValueEngine]
    ) throws(StorageError) -> String? {
        guard let first = engines.first else { return nil }
        let wanted = try content(of: first)
        for (number, engine) in engines.enumerated().dropFirst() {
            let found = try content(of: engine)
            if found == wanted { continue }
            let keys = Set(wanted.keys).union(found.keys).sorted { $0 < $1 }
            let differing = keys.filter { wanted[$0] != found[$0] }.map(\.shown)
            return "node \(number) differs from node 0 at \(differing.joined(separator: " "))"
        }
        return nil
    }

    private static func content(
        of engine: any KeyValueEngine
    ) throws(StorageError) -> [Key: Bytes] {
        var content: [Key: Bytes] = [:]
        for family in ColumnFamily.allCases {
            let name = Bytes("\(family) ".utf8)
            _ = try engine.view().scan(family, .all, reverse: false, tier: .disk) { key, value in
                // Until the next apply: who got a snapshot says so.
                if family == .meta, key.starts(with: Bytes("staged/".utf8)) { return .more }
                // What has expired may be gone at one of them and not yet at another.
                if family == .raw, RawRecord.isExpired(value, at: .latest) { return .more }
                content[Key(name + Bytes(key))] = Bytes(value)
                return .more
            }
        }
        return content
    }
}

extension WallTime {
    fileprivate static let latest = WallTime(milliseconds: .max)
}
