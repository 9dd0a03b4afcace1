// What the worker merges, tries again and tells, for every way in which a disk can answer.
import Base
import Storage
import Testing

@Suite struct CommitQueueTests {
    private typealias Queue = CommitQueue<Int>

    private static let full = StorageError.full(
        SpaceShortage(freeBytes: 0, neededBytes: 1, refusesDeletes: false))

    private func job(_ number: Int, bytes: Int = 1) -> Queue.Job {
        var batch = WriteBatch()
        batch.put(.raw, Key([UInt8(number)]), Bytes(repeating: 0, count: bytes))
        return Queue.Job(owner: number, batch: batch)
    }

    /// Numbers of the keys in a batch.
    private func keys(_ batch: WriteBatch?) -> [Int]? {
        batch.map { batch in
            batch.operations.map { Int(batch.arena[$0.key.lowerBound]) }
        }
    }

    @Test func whatQueuedIsWrittenTogetherAndInOrder() {
        var queue = Queue()
        queue.append([job(1)])
        #expect(keys(queue.next()) == [1])
        queue.append([job(2), job(3)])
        #expect(queue.next() == nil, "one write at a time")
        #expect(queue.finished(.success(()))?.jobs.map(\.owner) == [1])
        queue.append([job(4)])
        #expect(keys(queue.next()) == [2, 3, 4])
        #expect(queue.finished(.success(()))?.jobs.map(\.owner) == [2, 3, 4])
        #expect(queue.next() == nil && queue.isIdle)
    }

    @Test(arguments: [full, .unreadable("a block")])
    func whatIsRefusedTogetherIsTriedAloneBeforeWhatCameLater(error: StorageError) {
        var queue = Queue()
        queue.append([job(1), job(2)])
        _ = queue.next()
        queue.append([job(3)])
        #expect(queue.finished(.failure(error)) == nil)
        #expect(keys(queue.next()) == [1])
        guard case .failure(error)? = queue.finished(.failure(error))?.result else {
            Issue.record("alone it is refused for good")
            return
        }
        #expect(keys(queue.next()) == [2])
        #expect(queue.finished(.success(()))?.jobs.map(\.owner) == [2])
        #expect(keys(queue.next()) == [3])
        #expect(queue.failure == nil)
    }

    @Test func afterAFailureNothingIsWrittenAndAllAreTold() {
        for refusedFirst in [false, true] {
            var queue = Queue()
            queue.append([job(1), job(2)])
            _ = queue.next()
            queue.append([job(3)])
            if refusedFirst {
                _ = queue.finished(.failure(Self.full))
                _ = queue.next()
            }
            let told = queue.finished(.failure(.failed("sync")))?.jobs.map(\.owner)
            #expect(told == (refusedFirst ? [1] : [1, 2]))
            #expect(queue.next() == nil)
            #expect(queue.abandon()?.jobs.map(\.owner) == (refusedFirst ? [2, 3] : [3]))
            #expect(queue.abandon() == nil && queue.isIdle)
            queue.append([job(4)])
            #expect(queue.next() == nil)
            #expect(queue.abandon()?.jobs.map(\.owner) == [4])
        }
    }

    @Test func aMergeIsBoundedByWhatItBecomes() {
        var queue = Queue()
        var wide = WriteBatch()
        let weight = RangeWeight(keys: 1, keyBytes: Limits.mergedWriteBytes)
        wide.deleteRange(.raw, .all, weight: weight)
        queue.append([job(1), Queue.Job(owner: 2, batch: wide), job(3)])
        for expected in [[1], [2], [3]] {
            _ = queue.next()
            #expect(queue.finished(.success(()))?.jobs.map(\.owner) == expected)
        }
    }

    @Test func aRangeDeleteWeighsWhatItWillName() {
        var batch = WriteBatch()
        batch.deleteRange(.raw, .all, weight: RangeWeight(keys: 1_000, keyBytes: 5_000))
        #expect(batch.byteCount >= 5_000 + 1_000)
        var sum = WriteBatch()
        sum.append(batch)
        sum.append(batch)
        #expect(sum.byteCount == 2 * batch.byteCount)
        sum.removeAll(keepingCapacity: true)
        #expect(sum.byteCount == 0)
    }
}
