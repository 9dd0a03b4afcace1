/// What is committed is on the disks of a majority of the voters, of both halves of a joint
/// membership, synced: only so it outlives any minority (Raft §5.3; reliability.md rows 2, 5, 14
/// to 16, 18 and 19).
package import Raft

package struct Commitment {
    package init() {}

    /// What is wrong with taking an entry for committed; nil if nothing is.
    /// - Parameter isDurable: whether it would be in a replica's log after a crash now.
    package func commits(
        _ index: LogIndex, as membership: Membership, _ isDurable: (ReplicaID) -> Bool
    ) -> String? {
        let holders = membership.everyone.filter(isDurable)
        for voters in [membership.voters, membership.outgoing] where !voters.ids.isEmpty {
            let count = voters.ids.filter(holders.contains).count
            if count * 2 <= voters.ids.count {
                return "entry \(index) is taken for committed and is on \(count) of the "
                    + "\(voters.ids.count) disks of its voters"
            }
        }
        return nil
    }
}
