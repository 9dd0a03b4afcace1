/// Who a data directory belongs to: the file `IDENTITY`, written once when the directory is made.
///
/// Text, because a person meets it with `cat`. Frozen for every format to come: the first line,
/// `format:` as the second, and `checksum:` as the last, over everything before it; so a newer
/// format and a damaged file can be told apart by any release.
package import Base

package struct StoreIdentity: Hashable, Sendable {
    /// The format of everything in the directory that this release writes.
    package static let format: UInt64 = 2

    /// 32 hexadecimal digits.
    package var cluster: String
    /// For people; drawn together with the id, "tidy-heron".
    package var clusterName: String
    /// This store's number within the cluster.
    package var store: UInt64
    package var created: WallTime
    /// Whether the database was made. Until then an empty one may be; afterwards a missing one is a
    /// loss.
    package var hasDatabase: Bool
    /// The clusters that this one went on from, by one store, when they had lost their majority;
    /// the latest last.
    package private(set) var former: [String] = []

    /// The identity of the first store of a new cluster.
    package init(created: WallTime, using generator: inout some RandomNumberGenerator) {
        let high = generator.next() as UInt64
        let low = generator.next() as UInt64
        cluster = Self.hex(high) + Self.hex(low)
        clusterName = Self.name(for: low)
        store = 1
        self.created = created
        hasDatabase = false
    }

    /// The identity of a store that a cluster has taken.
    package init(cluster: String, clusterName: String, store: UInt64, created: WallTime) {
        self.cluster = cluster
        self.clusterName = clusterName
        self.store = store
        self.created = created
        hasDatabase = false
    }

    /// The same store with the same data, of a cluster of its own: whoever knows the old one by
    /// name is a stranger to it from then on.
    package func parted(using generator: inout some RandomNumberGenerator) -> StoreIdentity {
        var parted = self
        parted.former.append(cluster)
        parted.cluster = Self.hex(generator.next()) + Self.hex(generator.next())
        return parted
    }

    // MARK: The file

    private static let title = "martlet data directory"

    package var encoded: Bytes {
        let body = """
            \(Self.title)
            format: \(Self.format)
            cluster: \(cluster)
            name: \(clusterName)
            store: \(store)
            created: \(created.milliseconds)
            database: \(hasDatabase ? "yes" : "no")
            \(former.map { "former: \($0)\n" }.joined())
            """
        return Bytes("\(body)checksum: \(Self.checksum(Bytes(body.utf8)))\n".utf8)
    }

    package enum Fault: Error, Hashable, Sendable {
        case newerFormat(UInt64)
        case olderFormat(UInt64)
        /// What was expected where.
        case corrupt(String)
    }

    package init(decoding bytes: Bytes) throws(Fault) {
        guard let text = String(validating: bytes, as: UTF8.self), text.hasSuffix("\n") else {
            throw .corrupt("it is not a text that ends with a line")
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard lines.first == Self.title[...] else {
            throw .corrupt("line 1 should read \"\(Self.title)\"")
        }
        guard let last = lines.last, last.hasPrefix("checksum: ") else {
            throw .corrupt("the last line should be the checksum")
        }
        let body = bytes.dropLast(last.utf8.count + 1)
        guard last == "checksum: \(Self.checksum(Bytes(body)))" else {
            throw .corrupt("its checksum does not match its contents")
        }
        var fields = Fields(lines: lines.dropFirst().dropLast())
        let format = try fields.number("format")
        guard format <= Self.format else { throw .newerFormat(format) }
        guard format == Self.format else { throw .olderFormat(format) }
        cluster = try fields.text("cluster")
        clusterName = try fields.text("name")
        store = try fields.number("store")
        created = WallTime(milliseconds: try fields.number("created"))
        hasDatabase = try fields.text("database") == "yes"
        while fields.has("former") { former.append(try fields.text("former")) }
        try fields.expectEnd()
    }

    private struct Fields {
        var lines: ArraySlice<Substring>

        func has(_ name: String) -> Bool { lines.first?.hasPrefix(name + ": ") == true }

        mutating func text(_ name: String) throws(Fault) -> String {
            guard let line = lines.popFirst(), line.hasPrefix(name + ": ") else {
                throw .corrupt("the field \"\(name)\" is missing")
            }
            return String(line.dropFirst(name.count + 2))
        }

        mutating func number(_ name: String) throws(Fault) -> UInt64 {
            let digits = try text(name)
            guard let number = UInt64(digits) else {
                throw .corrupt("the field \"\(name)\" should be a number, not \"\(digits)\"")
            }
            return number
        }

        func expectEnd() throws(Fault) {
            guard let line = lines.first else { return }
            throw .corrupt("\"\(line)\" is not a field of format \(StoreIdentity.format)")
        }
    }

    private static func checksum(_ bytes: Bytes) -> String {
        let sum = Fingerprint(of: bytes)
        return hex(sum.high) + hex(sum.low)
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    // MARK: Names

    private static func name(for id: UInt64) -> String {
        let adjective = adjectives[Int(id % UInt64(adjectives.count))]
        let bird = birds[Int(id >> 32) % birds.count]
        return "\(adjective)-\(bird)"
    }

    private static let adjectives = [
        "able", "agile", "amber", "azure", "bold", "brave", "bright", "brisk", "calm", "candid",
        "cheery", "clever", "coral", "crisp", "deft", "eager", "early", "fair", "fleet", "frank",
        "gentle", "gilded", "glad", "golden", "grand", "hardy", "honest", "humble", "keen", "kind",
        "lively", "loyal", "lucid", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble",
        "patient", "plain", "proud", "quick", "quiet", "ready", "sable", "scarlet", "serene",
        "sharp", "silver", "sleek", "snowy", "spry", "steady", "sturdy", "sunny", "swift", "tidy",
        "true", "vivid", "warm", "wise", "witty",
    ]

    private static let birds = [
        "auk", "avocet", "bittern", "bluetit", "bunting", "buzzard", "chough", "coot", "crake",
        "crane", "cuckoo", "curlew", "dipper", "diver", "dove", "dunlin", "dunnock", "eagle",
        "egret", "eider", "falcon", "finch", "fulmar", "gannet", "godwit", "goose", "grebe",
        "grouse", "gull", "harrier", "heron", "hobby", "hoopoe", "ibis", "jackdaw", "jay",
        "kestrel", "kite", "knot", "lapwing", "lark", "linnet", "magpie", "martin", "merlin",
        "nightjar", "oriole", "osprey", "owl", "petrel", "pipit", "plover", "puffin", "quail",
        "raven", "redwing", "robin", "rook", "ruff", "siskin", "snipe", "stork", "tern", "wren",
    ]
}
