/// Names a Raft group: all replicas of one piece of the key space. Never used twice.
package struct GroupID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package static func < (a: GroupID, b: GroupID) -> Bool { a.number < b.number }
    package var description: String { String(number) }
}
