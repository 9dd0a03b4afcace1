/// How far a batch goes in one turn of the loop, and how it goes on in the next.
///
/// A run of reads that memory can answer comes back in the turn in which it was sent. Without a
/// bound a batch of ten thousand would hold its loop from the first run to the last, and nobody
/// would look at its deadline, at its client's leaving, or at anyone else's socket. So what batches
/// cost is added up over a turn, and past `Limits.batchWeightPerTurn` the next run waits for the
/// next turn, behind those of other batches that wait already. The host learns of it by
/// `nextDeadline`, which is then a time that has come.
internal import API
internal import Base
internal import Coordination
internal import DequeModule
internal import Regions

extension Gateway {
    mutating func goOn(
        _ exchange: consuming RawExchange, with run: [RawCommand], at now: Now,
        into effects: inout Effects
    ) {
        let name = exchange.context.exchange
        let (deadline, rule) = (exchange.deadline, exchange.rule)
        let isDeferred = turnWeight >= turnWeightLimit
        exchange.leaderlessSince = nil
        exchange.target = nil
        exchange.deferredRun = isDeferred ? run : nil
        let handle = exchanges.insert(exchange)
        places[name] = .raw(handle)
        noteDeadline(deadline)
        if isDeferred {
            deferred.append(handle)
            deferredAt = now.instant
        } else {
            send(run, by: rule, of: handle, until: deadline, into: &effects)
        }
    }

    /// History: forty reads of 4 MiB of control characters, which become 24 MiB each, came in one
    /// turn, and nobody else was answered for half a minute.
    /// - Returns: false if too much waits already: a read is refused then, and what was written is
    ///   told at once.
    mutating func putOff(_ exchange: inout RawExchange, at now: Now) -> Bool {
        guard unansweredBytes + exchange.answerBytes <= Limits.unansweredBytes else {
            exchange.answerBytes = 0
            if exchange.request.commands.allSatisfy({ !$0.isWrite }) {
                counters.answersRefused += 1
                let refusal = RawOutcome.refused(.overloaded(resource: .largeAnswers))
                exchange.answer = exchange.request.commands.map { _ in refusal }
            }
            return false
        }
        unansweredBytes += exchange.answerBytes
        exchange.target = nil
        // Nothing is left that a deadline could end.
        exchange.isExpired = true
        let name = exchange.context.exchange
        let handle = exchanges.insert(exchange)
        places[name] = .raw(handle)
        unanswered.append(handle)
        deferredAt = now.instant
        return true
    }

    /// The large answers that wait, in their order, as far as this turn goes.
    mutating func answerDeferred(at now: Now, into effects: inout Effects) {
        while answerBytes < Limits.answerBytesPerTurn, let handle = unanswered.popFirst() {
            // One whose client left is here still, and `finish` only lets go of it.
            guard let exchange = exchanges.remove(handle) else {
                invariant(false, "nobody else takes what was put off")
                continue
            }
            finish(exchange, at: now, into: &effects)
        }
        if !unanswered.isEmpty { deferredAt = now.instant }
    }

    /// One run of each that waits, as far as this turn goes.
    mutating func sendDeferred(into effects: inout Effects) {
        while turnWeight < turnWeightLimit, let handle = deferred.popFirst() {
            // nil: its time was over, or its client left.
            guard let run = exchanges[handle]?.deferredRun.take(),
                let deadline = exchanges[handle]?.deadline
            else { continue }
            let rule = exchanges[handle]?.rule
            send(run, by: rule, of: handle, until: deadline, into: &effects)
        }
    }
}
