// A follower's progress, event by event, as text: what happens, then state, match, next.
import Base
import Raft
import Testing

@Suite struct ProgressTests {
    struct Row: Sendable {
        var name: String
        /// `sent N` entries, `has N` accepted, `not N try M`, `lost`, `beat N` (answer, last
        /// index), `needs` a snapshot, `done N`, `failed`.
        var events: [String]
        var state: Progress.State
        var match: LogIndex
        var next: LogIndex
        var maySend: Bool
    }

    static func play(_ events: [String]) -> Progress {
        var progress = Progress(
            id: ReplicaID(2), next: 10, window: SendWindow(entryLimit: 4, byteLimit: 100),
            at: .origin)
        for event in events {
            let words = event.split(separator: " ").map(String.init)
            let number = words.count > 1 ? UInt64(words[1]) ?? 0 : 0
            switch words[0] {
            case "sent":
                let entry = Entry(term: 1, .command(byteCount: 30))
                progress.sent(Array(repeating: entry, count: Int(number)))
            case "has": _ = progress.accepted(through: number, logBegins: 5)
            case "not": progress.refused(at: number, hint: UInt64(words[3]) ?? 0)
            case "lost": progress.lost()
            case "beat": progress.answeredHeartbeat(lastIndex: number)
            case "needs": progress.needsSnapshot()
            case "done": progress.snapshotEnded(at: number)
            case "failed": progress.snapshotEnded(at: nil)
            default: Issue.record("no such event: \(event)")
            }
        }
        return progress
    }

    @Test(arguments: [
        Row(name: "new", events: [], state: .probing, match: 0, next: 10, maySend: true),
        Row(
            name: "one probe at a time", events: ["sent 1"], state: .probing, match: 0, next: 10,
            maySend: false),
        Row(
            name: "a match begins the flow", events: ["sent 1", "has 10"], state: .replicating,
            match: 10, next: 11, maySend: true),
        Row(
            name: "a refusal goes back to the hint", events: ["sent 1", "not 9 try 6"],
            state: .probing, match: 0, next: 7, maySend: true),
        Row(
            name: "never above the refused place", events: ["sent 1", "not 9 try 20"],
            state: .probing, match: 0, next: 9, maySend: true),
        Row(
            name: "an old refusal is not looked at",
            events: ["sent 1", "not 9 try 6", "not 9 try 2"],
            state: .probing, match: 0, next: 7, maySend: true),
        Row(
            name: "the window fills in entries", events: ["has 9", "sent 2", "sent 2"],
            state: .replicating, match: 9, next: 14, maySend: false),
        Row(
            name: "and empties", events: ["has 9", "sent 2", "sent 2", "has 11"],
            state: .replicating, match: 11, next: 14, maySend: true),
        Row(
            name: "an old acknowledgement takes nothing back",
            events: ["has 9", "sent 2", "has 3"],
            state: .replicating, match: 9, next: 12, maySend: true),
        Row(
            name: "a gap is probed from what is known",
            events: ["has 9", "sent 2", "not 11 try 9"],
            state: .probing, match: 9, next: 10, maySend: true),
        Row(
            name: "a refusal below the match is not looked at",
            events: ["has 9", "sent 2", "has 11", "not 9 try 4"], state: .replicating, match: 11,
            next: 12, maySend: true),
        Row(
            name: "a broken connection", events: ["has 9", "sent 2", "lost"], state: .probing,
            match: 9, next: 10, maySend: true),
        Row(
            name: "an answer soon after a probe says nothing", events: ["sent 1", "beat 12"],
            state: .probing, match: 0, next: 10, maySend: false),
        Row(
            name: "a second one says that the probe is lost",
            events: ["sent 1", "beat 12", "beat 12"],
            state: .probing, match: 0, next: 10, maySend: true),
        Row(
            name: "a snapshot stops everything",
            events: ["has 9", "needs", "beat 12", "not 11 try 2"],
            state: .awaitingSnapshot, match: 9, next: 10, maySend: false),
        Row(
            name: "after it a probe, once it is heard of", events: ["needs", "done 20"],
            state: .probing, match: 0, next: 21, maySend: false),
        Row(
            name: "heard of", events: ["needs", "done 20", "beat 30"], state: .probing, match: 0,
            next: 21, maySend: true),
        Row(
            name: "a failure the same from the start", events: ["needs", "failed", "beat 30"],
            state: .probing, match: 0, next: 1, maySend: true),
        Row(
            name: "a snapshot from elsewhere will do", events: ["needs", "has 4"],
            state: .replicating, match: 4, next: 5, maySend: true),
        Row(
            name: "but only if the log goes on there", events: ["needs", "has 3"],
            state: .awaitingSnapshot, match: 3, next: 10, maySend: false),
    ])
    func progress(_ row: Row) {
        let progress = Self.play(row.events)
        #expect(progress.state == row.state, "\(row.name)")
        #expect(progress.match == row.match, "\(row.name)")
        #expect(progress.next == row.next, "\(row.name)")
        #expect(progress.maySend == row.maySend, "\(row.name)")
    }

    @Test func aLargeEntryFitsAnEmptyWindowAndFillsIt() {
        var window = SendWindow(entryLimit: 4, byteLimit: 100)
        window.add(through: 7, bytes: 500, count: 1)
        #expect(window.isFull)
        #expect(window.byteRoom == 0)
        window.free(through: 6)
        #expect(window.isFull)
        window.free(through: 7)
        #expect(!window.isFull)
        #expect(window.byteCount == 0 && window.entryCount == 0)
    }
}
