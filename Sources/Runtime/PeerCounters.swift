/// What a node counts of its traffic with other stores.
internal import Base
internal import Peers
internal import Telemetry

struct PeerCounters: Sendable {
    /// Why something was not sent. The raw values are frozen: dashboards and alerts name them.
    enum Loss: String, CaseIterable, Sendable {
        /// No connection, or the address is not known.
        case unreachable
        /// Too many bytes wait for that connection.
        case full
        /// The connection by which an answer was to go is gone.
        case gone
    }

    var bytesSent: UInt64 = 0
    var bytesReceived: UInt64 = 0
    var messagesLost: [Loss: UInt64] = [:]
    var requestsRefused: [Loss: UInt64] = [:]
    var repliesLost: [Loss: UInt64] = [:]
    var connectionsOpened: UInt64 = 0
    var connectionsFailed: UInt64 = 0
    var connectionsLost: UInt64 = 0
    /// By `PeerFault.label`, said by this store, and by others to it.
    var refused: [String: UInt64] = [:]
    var refusedByOthers: UInt64 = 0
    var snapshotsSent: UInt64 = 0
    var snapshotsFailed: UInt64 = 0
    var snapshotBytesSent: UInt64 = 0
    /// For which chunks were held back by the limit.
    var snapshotPause = Duration.zero
    var snapshotDuration = Histogram(.requestDuration)

    func measure(into scrape: inout Scrape, open: Int, streams: Int) {
        scrape.add(.peerConnections, UInt64(open))
        scrape.add(.peerStreams, UInt64(streams))
        scrape.add(.peerBytes, bytesSent, ["sent"])
        scrape.add(.peerBytes, bytesReceived, ["received"])
        for loss in Loss.allCases {
            scrape.add(.peerLost, messagesLost[loss] ?? 0, ["raft", loss.rawValue])
            scrape.add(.peerLost, requestsRefused[loss] ?? 0, ["request", loss.rawValue])
            scrape.add(.peerLost, repliesLost[loss] ?? 0, ["reply", loss.rawValue])
        }
        scrape.add(.peerConnectionEvents, connectionsOpened, ["opened"])
        scrape.add(.peerConnectionEvents, connectionsFailed, ["failed"])
        scrape.add(.peerConnectionEvents, connectionsLost, ["lost"])
        scrape.add(.peerConnectionEvents, refusedByOthers, ["refused"])
        scrape.add(.snapshots, snapshotsSent, ["sent"])
        scrape.add(.snapshots, snapshotsFailed, ["failed"])
        scrape.add(.snapshotBytes, snapshotBytesSent, ["sent"])
        let paused = Double(snapshotPause.wholeNanoseconds) / 1e9
        scrape.add(.snapshotPause, real: paused)
        scrape.add(.snapshotDuration, snapshotDuration)
        for label in PeerFault.labels {
            scrape.add(.peerRefused, refused[label] ?? 0, [label])
        }
    }
}

extension SnapshotShelf.Counts {
    func measure(into scrape: inout Scrape) {
        scrape.add(.snapshots, received, ["received"])
        scrape.add(.snapshots, installed, ["installed"])
        scrape.add(.snapshots, discarded, ["discarded"])
        scrape.add(.snapshotBytes, bytes, ["received"])
    }
}
