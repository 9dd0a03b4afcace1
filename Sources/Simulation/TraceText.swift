/// Events, effects and commands in a few words, for the columns of a trace.
internal import API
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension Event {
    var shown: String {
        switch self {
        case .received(let envelope): "← \(envelope.shown)"
        case .logged(_, let token): "logged \(token)"
        case .applied(_, let index): "applied up to entry \(index)"
        case .flushed(_, let index): "flushed up to entry \(index)"
        case .peerLost(let store): "store \(store) is lost"
        case .removed(let reason): "removed: \(reason)"
        case .change(_, let id, let change, _): "change \(id.number): \(change)"
        case .snapshotEnded(_, let id, let index):
            "snapshot for replica \(id) ended \(index.map { "at \($0)" } ?? "in vain")"
        case .readFinished(let token, let result):
            switch result {
            case .success(let outcome): "read \(token & 0xFFFF_FFFF): \(outcome.shown)"
            case .failure(let error): "read \(token & 0xFFFF_FFFF): \(error)"
            }
        case .request(let exchange, let request):
            "request \(exchange.shown) \(request.method.name) \(Key(request.target).shown)"
        case .refused(let exchange, _, let problem):
            "refused \(exchange.shown): \(problem.code.rawValue)"
        case .cancelled(let exchange): "cancelled \(exchange.shown)"
        case .diskSpace(let space): "disk space: \(space.space.freeBytes) free"
        case .scraped: "scraped"
        case .failpoints: "failpoints"
        case .stores: "stores"
        case .storeFailed(let error): "store failed: \(error)"
        case .stopping: "stopping"
        case .turnEnded: "turn ended"
        case .deadlineReached: "deadline reached"
        }
    }
}

extension Effect {
    var shown: String {
        switch self {
        case .append(let append):
            "append \(append.write.token): \(append.records.count) entries "
                + "from \(append.write.firstIndex) on"
        case .apply(let apply): "apply up to entry \(apply.through): \(apply.batch.count) writes"
        case .compact(_, let base): "compact the log up to entry \(base.index)"
        case .damaged(let error): "damaged: \(error)"
        case .refusedForSpace: "no room for a write"
        case .read(let token, let read, let view, let wall):
            "read \(token & 0xFFFF_FFFF) at \(wall.milliseconds)"
                + "\(view == nil ? "" : " of a view"): \(read.shown)"
        case .sendFromLog(_, let message): "→ from the log: \(message.shown)"
        case .sendSnapshot(_, let id, let term, _, let index):
            "term \(term): send a snapshot of \(index) or later to replica \(id)"
        case .stopSnapshots: "stop sending snapshots"
        case .discardSnapshot(_, let position): "discard the snapshot of \(position)"
        case .changed(let id, let result): "change \(id.number): \(result)"
        case .send(let envelope): "→ \(envelope.shown)"
        case .respond(let exchange, let response, _):
            "respond \(exchange.shown) \(response.status)"
        case .stopRead(let token): "stop read \(token & 0xFFFF_FFFF)"
        case .scrape: "scrape"
        case .commandFailpoints: "command failpoints"
        case .commandStores: "command stores"
        case .released(let exchange): "released \(exchange.shown)"
        }
    }
}

extension ExchangeID {
    var shown: String { "c\(slot).\(stream)" }
}

extension UnitAddress {
    fileprivate var shown: String { (store.map { "store \($0) " } ?? "") + "\(unit)\(core)" }
}

extension RaftMessage {
    var shown: String {
        let said =
            switch body {
            case .preVote(let candidacy): "pre-vote? \(candidacy.last)"
            case .preVoteReply(let answer): "pre-vote \(answer)"
            case .vote(let candidacy): "vote? \(candidacy.last)"
            case .voteReply(let isGranted): "vote \(isGranted ? "granted" : "refused")"
            case .append(let append):
                "append \(append.entries.count) behind \(append.previous), commit \(append.commit)"
            case .appendReply(let reply): "\(reply.outcome)"
            case .heartbeat(let heartbeat):
                "heartbeat \(heartbeat.beat.round), commit \(heartbeat.commit)"
            case .heartbeatReply(let beat, let isAsleep, _):
                "heartbeat \(beat.round) heard\(isAsleep ? ", asleep" : "")"
            case .snapshot(let snapshot, _): "snapshot \(snapshot.position)"
            case .timeoutNow: "campaign now"
            case .readIndex(let context): "read index? \(context.number)"
            case .readIndexReply(let reply): "read index \(reply.context.number): \(reply.index)"
            case .wakeUp: "wake up"
            }
        return "term \(term): \(said)"
    }
}

extension Envelope {
    var shown: String {
        let route = "\(from.shown)→\(to.shown)"
        switch body {
        case .request(let request):
            let commands = request.commands.map(\.shown).joined(separator: "; ")
            return "\(route) request \(request.number & 0xFFFF_FFFF): \(commands)"
        case .reply(let reply):
            let outcomes = reply.outcomes.map(\.shown).joined(separator: "; ")
            return "\(route) reply \(reply.number & 0xFFFF_FFFF): \(outcomes)"
        case .expire(let number): return "\(route) expire \(number & 0xFFFF_FFFF)"
        case .serving(let isServing, _): return "\(route) serving: \(isServing)"
        case .servingSeen: return "\(route) serving seen"
        case .caughtUp: return "\(route) caught up"
        case .drained: return "\(route) drained"
        case .leader(let place): return "\(route) leader: \(place)"
        case .raft(let message): return "\(route) \(message.message.shown)"
        }
    }
}

extension RawRead {
    var shown: String {
        switch self {
        case .get(let key): "get \(key.shown)"
        case .scan(let scan): RawCommand.scan(scan).shown
        case .count(let range), .countForDelete(let range): "count \(range.shown)"
        }
    }
}

extension KeyRange {
    var shown: String { "[\(start.shown), \(end?.shown ?? "∞"))" }
}

extension RawCondition {
    var shown: String {
        switch self {
        case .none: ""
        case .absent: " if absent"
        case .present: " if present"
        case .matchesAny: " if tag"
        case .matchesNone: " if not tag"
        case .presentMatchingNone: " if present and not tag"
        }
    }
}

extension RawCommand {
    var shown: String {
        switch self {
        case .get(let key): return "get \(key.shown)"
        case .put(let put):
            let ttl = put.timeToLive.map { " for \($0) s" } ?? ""
            return "put \(put.key.shown)=\(put.value.shownValue)\(ttl)\(put.condition.shown)"
        case .delete(let delete): return "delete \(delete.key.shown)\(delete.condition.shown)"
        case .compareAndSwap(let swap):
            let replacement =
                switch swap.replacement {
                case .put(let value, _): value.shownValue
                case .delete: "nothing"
                }
            return "swap \(swap.key.shown): \(swap.expected?.shownValue ?? "nothing") by "
                + replacement
        case .scan(let scan):
            return "scan \(scan.range.shown) limit \(scan.limit)"
                + (scan.reverse ? " reverse" : "")
        case .count(let range): return "count \(range.shown)"
        case .deleteRange(let range, let isDryRun):
            return "delete range \(range.shown)" + (isDryRun ? " dry run" : "")
        }
    }
}

extension RawOutcome {
    var shown: String {
        switch self {
        case .found(let value): "found \(value.value.shownValue)"
        case .missing: "missing"
        case .written: "written"
        case .deleted: "deleted"
        case .conditionFailed: "condition failed"
        case .swapped: "swapped"
        case .notSwapped: "not swapped"
        case .page(let page): "page of \(page.count)\(page.rest == nil ? "" : ", more")"
        case .counted(let count): "counted \(count)"
        case .measured(let live, let weight): "measured \(live), \(weight.byteCount) bytes"
        case .rangeDeleted(let count, _): "range deleted \(count)"
        case .refused(let refusal): "refused: \(refusal)"
        }
    }
}

extension Answer {
    var shown: String {
        switch self {
        case .read(let seen): seen.shown
        case .written(let previous): "written" + (previous.map { ", was \($0.shown)" } ?? "")
        case .deleted(let previous): "deleted" + (previous.map { ", was \($0.shown)" } ?? "")
        case .conditionFailed: "condition failed"
        case .swapped: "swapped"
        case .notSwapped(let seen): "not swapped, was \(seen.shown)"
        case .page(let entries, let cursor):
            "page " + entries.map(\.key.shown).joined(separator: " ") + (cursor == nil ? "." : " …")
        case .counted(let count): "counted \(count)"
        case .rangeDeleted(let count): "range deleted \(count)"
        case .refused(let code): "refused: \(code)"
        case .unknown(let why): "unknown: \(why)"
        }
    }
}

extension Seen {
    var shown: String {
        switch self {
        case .absent: "nothing"
        case .value(let value, _): value.shownValue
        }
    }
}
