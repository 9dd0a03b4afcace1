/// The words of stories: what a line asks of a client, and how a node stands.
internal import Base
internal import Node
internal import Raft
internal import Regions

enum StoryWords {
    /// `write a=1 at 2` and its like; nil: it is no client's line.
    static func commands(
        _ verb: String, _ words: [String]
    ) -> (commands: [RawCommand], node: Int)? {
        guard words.count >= 2, words[words.count - 2] == "at", let node = Int(words.last ?? "")
        else { return nil }
        let things = Array(words[..<(words.count - 2)])
        let parts = things.first?.split(separator: "=").map(String.init) ?? []
        func put(_ condition: RawCondition) -> RawCommand {
            .put(
                RawPut(
                    key: Key(utf8: parts[0]), value: Bytes(parts[1].utf8), timeToLive: nil,
                    condition: condition, returnPrevious: false))
        }
        let command: RawCommand
        switch verb {
        case "write": command = put(.none)
        case "create": command = put(.absent)
        case "replace": command = put(.present)
        case "erase": command = .delete(RawDelete(key: Key(utf8: parts[0])))
        case "read": command = .get(Key(utf8: parts[0]))
        case "swap":
            let value = RawCompareAndSwap.Replacement.put(Bytes(things[2].utf8), timeToLive: nil)
            command = .compareAndSwap(
                RawCompareAndSwap(
                    key: Key(utf8: things[0]), expected: Bytes(things[1].utf8),
                    replacement: value))
        case "scan":
            command = .scan(RawScan(range: .all, reverse: false, limit: 100, keysOnly: false))
        default: return nil
        }
        return ([command], node - 1)
    }

    /// `500` milliseconds, or `80us`.
    static func nanoseconds(_ word: String) -> UInt64 {
        let isMicroseconds = word.hasSuffix("us")
        let count = UInt64(isMicroseconds ? String(word.dropLast(2)) : word) ?? 0
        return count * (isMicroseconds ? 1_000 : 1_000_000)
    }

    static func status(_ node: SimNode) -> String {
        let name = "\(node.id + 1)"
        guard node.isUp, let status = node.status else { return name + " is down" }
        let role =
            switch (status.role, status.leader) {
            case (.leader, _): "leads"
            case (_, let leader?): "follows \(leader)"
            case (_, nil): "follows nobody"
            }
        let log =
            status.base == status.last
            ? "no log behind \(status.base)" : "log \(status.base + 1) to \(status.last)"
        return "\(name) \(role) in term \(status.term); \(log), "
            + "commit \(status.commit), applied \(status.applied); \(status.membership)"
    }
}
