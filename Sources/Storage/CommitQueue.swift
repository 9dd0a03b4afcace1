/// What is written together, in which order, and what is tried again: the decisions of the one
/// worker that writes, as a value, so that the simulator runs them too.
///
/// Everything that queued while a sync ran becomes one batch and one sync. A batch that the engine
/// refuses without having touched anything, because the disk is full or what it needs cannot be
/// read, is tried again job by job, before anything that came later: a delete must not fail because
/// a large value came with it. After an error that ends writes nothing is written any more.
internal import Base
private import DequeModule

package struct CommitQueue<Owner: Sendable>: Sendable {
    package struct Job: Sendable {
        package var owner: Owner
        package var batch: WriteBatch

        package init(owner: Owner, batch: WriteBatch) {
            self.owner = owner
            self.batch = batch
        }
    }

    /// What became of some jobs, in the order in which they were handed over.
    package struct Completion: Sendable {
        package var jobs: [Job]
        package var result: Result<Void, StorageError>
    }

    private var queued: Deque<Job> = []
    /// Refused together; each is tried alone.
    private var alone: Deque<Job> = []
    private var underWay: [Job] = []
    /// The error after which nothing is written.
    package private(set) var failure: StorageError?

    package init() {}

    package var isIdle: Bool { queued.isEmpty && alone.isEmpty && underWay.isEmpty }
    /// Handed out by `next` and not yet `finished`.
    package var isWriting: Bool { !underWay.isEmpty }
    /// What the write under way is for.
    package var jobsUnderWay: [Job] { underWay }

    package mutating func append(_ jobs: [Job]) { queued.append(contentsOf: jobs) }

    /// The next batch to write with a sync; nil if there is nothing to do, or if a write is under
    /// way.
    package mutating func next() -> WriteBatch? {
        guard underWay.isEmpty, failure == nil else { return nil }
        if let job = alone.popFirst() {
            underWay = [job]
        } else {
            takeQueued()
        }
        guard let first = underWay.first else { return nil }
        var merged = first.batch
        for job in underWay.dropFirst() { merged.append(job.batch) }
        return merged
    }

    /// Takes what came of the batch; nil if its jobs are tried again one by one.
    package mutating func finished(_ result: Result<Void, StorageError>) -> Completion? {
        invariant(!underWay.isEmpty, "what finishes was under way")
        if case .failure(let error) = result {
            if error.endsWrites {
                failure = error
            } else if underWay.count > 1 {
                alone = Deque(underWay)
                underWay = []
                return nil
            }
        }
        defer { underWay = [] }
        return Completion(jobs: underWay, result: result)
    }

    /// After a failure: everything that still waits, to be told of it.
    package mutating func abandon() -> Completion? {
        guard let failure, underWay.isEmpty, !alone.isEmpty || !queued.isEmpty else { return nil }
        defer {
            alone = []
            queued = []
        }
        return Completion(jobs: Array(alone) + Array(queued), result: .failure(failure))
    }

    /// The oldest jobs, together no larger than one write may be; a larger one comes alone.
    private mutating func takeQueued() {
        var byteCount = 0
        while let job = queued.first {
            byteCount += job.batch.byteCount
            guard underWay.isEmpty || byteCount <= Limits.mergedWriteBytes else { return }
            underWay.append(job)
            queued.removeFirst()
        }
    }
}
