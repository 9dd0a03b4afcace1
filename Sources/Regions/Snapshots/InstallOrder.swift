/// What a host keeps in order around a snapshot: the log may begin behind it only when it is in
/// place in the data, and whatever comes to the log after it waits that long.
package import Raft

package struct InstallOrder<Item: Sendable>: Sendable {
    private var isInstalling = false
    private var behind: [Item] = []
    /// The last that was put in place in this life: a write that takes it again has nothing to wait
    /// for.
    private var inPlace: SnapshotIdentity?

    package init() {}

    /// Nothing waits.
    package var isIdle: Bool { !isInstalling }

    /// What may go to the log at once, and the item whose snapshot has to be put in place now.
    /// - Parameter snapshot: that an item's write takes; nil for all others.
    package mutating func sort(
        _ items: [Item], snapshot: (Item) -> SnapshotIdentity?
    ) -> (log: [Item], install: (item: Item, snapshot: SnapshotIdentity)?) {
        var log: [Item] = []
        var install: (item: Item, snapshot: SnapshotIdentity)?
        for item in items {
            if isInstalling {
                behind.append(item)
            } else if let taken = snapshot(item), taken != inPlace {
                isInstalling = true
                install = (item, taken)
            } else {
                log.append(item)
            }
        }
        return (log, install)
    }

    /// It is in place: what came behind it, less what takes another one and has to wait in turn.
    package mutating func finish(_ snapshot: SnapshotIdentity) -> [Item] {
        isInstalling = false
        inPlace = snapshot
        defer { behind = [] }
        return behind
    }
}
