/// Sends entries that are in the log only, to followers that lag: read by a thread that may wait
/// for the disk. What cannot be read is lost on the way, and the leader asks again or sends a
/// snapshot.
internal import Base
internal import NIOPosix
internal import Node
internal import Raft
internal import Regions
internal import Storage

struct LogReader: Sendable {
    let log: any RaftLogStore
    let threads: NIOThreadPool
    let peers: PeerHub

    var send: @Sendable (GroupID, RaftMessage) -> Void {
        { [self] group, message in
            threads.submit { state in
                guard state == .active, case .append(let append) = message.body,
                    let records = records(of: group, append)
                else { return }
                let peer = PeerMessage(group: group, message: message, entries: records)
                let from = UnitAddress(core: 0, unit: .shard)
                let to = UnitAddress(core: 0, unit: .shard, store: message.to.store)
                peers.send([Envelope(from: from, to: to, body: .raft(peer))])
            }
        }
    }

    private func records(of group: GroupID, _ append: Append) -> [Bytes]? {
        let first = append.previous.index + 1
        let range = first..<first + LogIndex(append.entries.count)
        do throws(StorageError) {
            let records = try log.entries(of: group, in: range, byteLimit: .max)
            return records.count == append.entries.count ? records : nil
        } catch {
            // A log that cannot be read is found when it is written, or by the next start.
            return nil
        }
    }
}
