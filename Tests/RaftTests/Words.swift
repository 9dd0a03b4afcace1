// What happens, in the words of the stories.
import Base
import Raft

func describe(_ message: RaftMessage) -> String {
    let term = "term \(message.term)"
    switch message.body {
    case .preVote(let candidacy): return "pre-vote \(term) log \(candidacy.last)"
    case .preVoteReply(let answer): return "pre-vote-reply \(term) \(answer)"
    case .vote(let candidacy):
        return "vote \(term) log \(candidacy.last)\(candidacy.isTransfer ? " transfer" : "")"
    case .voteReply(let isGranted): return "vote-reply \(term) \(isGranted ? "yes" : "no")"
    case .append(let append):
        return "append \(term) after \(append.previous) \(runs(append)) commit \(append.commit)"
    case .appendReply(let reply):
        switch reply.outcome {
        case .accepted(let index): return "append-reply \(term) has \(index)"
        case .refused(let index, let hint): return "append-reply \(term) not \(index), try \(hint)"
        case .outdated: return "append-reply \(term) outdated"
        }
    case .heartbeat(let heartbeat):
        return "heartbeat \(term) commit \(heartbeat.commit)"
            + (heartbeat.asksSleep ? " sleep" : "")
    case .heartbeatReply(_, let isAsleep, _):
        return "heartbeat-reply \(term)\(isAsleep ? " asleep" : "")"
    case .snapshot(let snapshot, _):
        return "snapshot \(term) of \(snapshot.position), \(snapshot.membership)"
    case .timeoutNow: return "timeout-now \(term)"
    case .readIndex(let context): return "read-index \(term) #\(context.number)"
    case .readIndexReply(let reply):
        return "read-index-reply \(term) #\(reply.context.number) index \(reply.index)"
    case .wakeUp: return "wake-up \(term)"
    }
}

private func runs(_ append: Append) -> String {
    var index = append.previous.index
    let texts = append.entries.map { entry in
        index += 1
        switch entry.content {
        case .blank: return "\(index)@\(entry.term) blank"
        case .command(let bytes): return "\(index)@\(entry.term)" + (bytes > 1 ? " \(bytes)B" : "")
        case .membership(let membership): return "\(index)@\(entry.term) {\(membership)}"
        }
    }
    if texts.count > 4 { return "[\(texts[0]) ... \(texts[texts.count - 1])]" }
    return "[\(texts.joined(separator: ", "))]"
}

func words(_ report: RoleReport) -> String {
    switch report.role {
    case .leader: "leads term \(report.term)"
    case .preCandidate: "asks for pre-votes in term \(report.term)"
    case .candidate: "is a candidate of term \(report.term)"
    case .follower:
        if let leader = report.leader {
            "follows \(leader) in term \(report.term)"
        } else {
            "follows nobody in term \(report.term)"
        }
    }
}

func words(_ refusal: RaftRefusal) -> String {
    switch refusal {
    case .notLeader(let leader?): "ask \(leader)"
    case .notLeader(nil): "no leader is known"
    case .transferring(let target): "leadership goes to \(target)"
    case .tooMuchUncommitted: "too much is uncommitted"
    case .tooManyReads: "too many reads wait"
    case .changeUnderWay: "a change of membership is under way"
    case .membership(let error): "no such change, \(error)"
    case .noTransferTarget: "no voter to hand over to"
    case .timedOut: "time is over"
    }
}
