/// The follower's half of replication (Raft §5.3, §7): appends, heartbeats, snapshots.
internal import Base

extension RaftGroup {
    mutating func follow(
        _ append: Append, of sender: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        let mutations = settings.mutations
        guard append.previous.index >= commit else {
            // All of that is settled: what is committed here is in every later leader's log.
            accept(through: commit, append.beat, of: sender, into: &effects)
            return
        }
        guard
            trail.term(at: append.previous.index) == append.previous.term
                || mutations.has(.acceptsWithoutMatch)
        else {
            let hint = trail.last(
                through: append.previous.index, termAtMost: append.previous.term)
            let outcome = AppendReply.Outcome.refused(at: append.previous.index, hint: hint)
            let reply = AppendReply(outcome: outcome, beat: append.beat)
            send(.appendReply(reply), to: sender, into: &effects)
            return
        }
        var index = append.previous.index
        let before = membership
        for entry in append.entries {
            index += 1
            if trail.term(at: index) == entry.term, !mutations.has(.truncatesWhatMatches) {
                continue
            }
            if index <= trail.lastIndex {
                invariant(index > commit, "what is committed is not overwritten")
                trail.truncate(from: index)
                writes.truncated(from: index, isForgotten: !mutations.has(.mixesUpWrites))
            }
            trail.append(entry)
            writes.appended(from: index)
        }
        if membership != before { followMembership(at: now) }
        // No further than what this message has compared (reliability.md row 17).
        let compared = mutations.has(.commitsUnseen) ? trail.lastIndex : index
        setCommit(max(commit, min(append.commit, compared)))
        accept(through: index, append.beat, of: sender, into: &effects)
    }

    /// Says so only when it is on disk, whoever asked for it and however often (reliability.md
    /// row 14).
    private func accept(
        through index: LogIndex, _ beat: Beat, of sender: ReplicaID,
        into effects: inout RaftEffects
    ) {
        let reply = AppendReply(outcome: .accepted(through: index), beat: beat)
        let isEarly = settings.mutations.has(.acknowledgesEarly)
        let token = isEarly ? nil : writes.token(through: index)
        send(.appendReply(reply), to: sender, after: token, into: &effects)
    }

    mutating func follow(
        _ heartbeat: Heartbeat, of sender: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        // The leader knows that this replica has everything up to there.
        let isThere = !settings.mutations.has(.commitsUnseen)
        let told = isThere ? heartbeat.commit : min(heartbeat.commit, trail.lastIndex)
        setCommit(max(commit, told))
        if let view = heartbeat.view, view.heard.incarnation == reads.incarnation,
            view.heard.madeAt <= now
        {
            // However long the message was on its way, it left after the mark had come.
            let isHasty = settings.mutations.has(.datesViewsByArrival)
            effects.append(.viewed(view.commit, asOf: isHasty ? now : view.heard.madeAt))
        }
        if heartbeat.asksSleep, commit == trail.lastIndex, reads.isEmpty {
            isAsleep = true
            electionDeadline = nil
        }
        let mark = FollowerMark(incarnation: reads.incarnation, madeAt: now)
        send(
            .heartbeatReply(heartbeat.beat, isAsleep: isAsleep, mark), to: sender,
            into: &effects)
    }

    /// Takes a snapshot in place of state and log, unless the log has all of it already: an older
    /// snapshot, or one of a place where the logs agree, would only take away what is behind it
    /// (reliability.md row 57).
    mutating func install(
        _ snapshot: SnapshotIdentity, _ beat: Beat, of sender: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        let position = snapshot.position
        let isNews =
            position.index > commit && trail.term(at: position.index) != position.term
        guard isNews || settings.mutations.has(.installsOldSnapshots) else {
            effects.append(.discardSnapshot(position))
            setCommit(max(commit, position.index))
            accept(through: commit, beat, of: sender, into: &effects)
            return
        }
        writes.replaced(by: snapshot, kept: commit)
        trail = LogTrail(snapshot)
        commit = position.index
        // The host takes the position as applied when it puts the snapshot in place.
        applied = position.index
        followMembership(at: now)
        accept(through: position.index, beat, of: sender, into: &effects)
    }
}
