// What a load chooses: keys by their distribution, kinds by the mix, instants by the rate, and the
// bytes of each request.
import Base
import HTTP
import Histogram
import LoadGenerator
import Testing

struct KeyChooserTests {
    /// The share of rank k is k^-θ over the sum of them all, summed here the plain way.
    @Test(arguments: [1, 2, 10, 1000])
    func ranksFallAsTheFormulaSays(_ count: Int) {
        let ranks = ZipfianRanks(count: count)
        let all = (0..<count).map { ranks.probability(of: $0) }
        #expect(abs(all.reduce(0, +) - 1) < 1e-9)
        var random = SeededGenerator(seed: 7)
        var seen = Array(repeating: 0, count: count)
        let draws = 200_000
        for _ in 0..<draws {
            seen[ranks.rank(for: Double.random(in: 0..<1, using: &random))] += 1
        }
        // Gray's formula is exact for the first two ranks and close for the others.
        for rank in 0..<min(2, count) {
            let expected = all[rank] * Double(draws)
            #expect(abs(Double(seen[rank]) - expected) < 0.05 * expected + 5)
        }
        let head = Double(seen.prefix(count / 10).reduce(0, +)) / Double(draws)
        let formula = all.prefix(count / 10).reduce(0, +)
        #expect(abs(head - formula) < 0.05)
    }

    @Test(arguments: [1, 2, 3, 100])
    func everyDrawIsARank(_ count: Int) {
        let ranks = ZipfianRanks(count: count)
        for step in 0...10_000 {
            let rank = ranks.rank(for: min(Double(step) / 10_000, 1 - 0x1p-53))
            #expect((0..<count).contains(rank))
        }
    }

    @Test func growingEqualsStartingLarger() {
        var grown = ZipfianRanks(count: 10)
        grown.grow(to: 500)
        grown.grow(to: 400)
        let fresh = ZipfianRanks(count: 500)
        #expect(grown.count == 500)
        for rank in 0..<500 {
            #expect(abs(grown.probability(of: rank) - fresh.probability(of: rank)) < 1e-12)
        }
        #expect(grown.rank(for: 0.7) == fresh.rank(for: 0.7))
    }

    @Test(arguments: Distribution.allCases)
    func oneSeedMeansOneSequenceAndKeysExist(_ distribution: Distribution) {
        func keys() -> [Int] {
            var chooser = KeyChooser(
                distribution, count: 50, random: SeededGenerator(seed: 3))
            var all = (0..<500).map { _ in chooser.next() }
            chooser.grow(to: 80)
            chooser.grow(to: 60)
            all += (0..<500).map { _ in chooser.next() }
            #expect(chooser.count == 80)
            return all
        }
        let first = keys()
        #expect(first == keys())
        #expect(first.prefix(500).allSatisfy { (0..<50).contains($0) })
        #expect(first.suffix(500).allSatisfy { (0..<80).contains($0) })
        #expect(first.suffix(500).contains { $0 >= 50 })
    }

    @Test func latestPrefersTheNewestAndZipfianScattersThePopular() {
        func counts(_ distribution: Distribution) -> [Int] {
            var chooser = KeyChooser(
                distribution, count: 1000, random: SeededGenerator(seed: 5))
            var seen = Array(repeating: 0, count: 1000)
            for _ in 0..<50_000 { seen[chooser.next()] += 1 }
            return seen
        }
        let latest = counts(.latest)
        #expect(latest[999] == latest.max())
        #expect(latest[998] > latest[0])
        let scattered = counts(.zipfian)
        let popular = scattered.indices.sorted { scattered[$0] > scattered[$1] }.prefix(10)
        let spread = (popular.max() ?? 0) - (popular.min() ?? 0)
        #expect(spread > 500)
        let uniform = counts(.uniform)
        #expect((uniform.max() ?? 0) < 100 && (uniform.min() ?? 0) > 15)
    }
}

struct WorkloadTests {
    @Test(arguments: Workload.allCases)
    func mixesSumUpAndAreDrawnAsTheySay(_ workload: Workload) {
        let mix = workload.mix
        #expect(mix.reduce(0) { $0 + $1.percent } == 100)
        var random = SeededGenerator(seed: 11)
        var seen: [OperationKind: Int] = [:]
        for _ in 0..<20_000 { seen[workload.kind(&random), default: 0] += 1 }
        #expect(Set(seen.keys) == Set(mix.map(\.kind)))
        for (kind, percent) in mix {
            let count = seen[kind] ?? 0
            #expect(abs(count - Int(percent) * 200) < 300)
        }
    }
}

struct SendScheduleTests {
    @Test func requestsAreDueAtEvenDistancesWhateverTheTime() {
        var schedule = SendSchedule(rate: 1000, from: Instant(nanoseconds: 5_000_000))
        #expect(schedule.take(at: Instant(nanoseconds: 4_999_999)) == nil)
        #expect(schedule.take(at: Instant(nanoseconds: 5_000_000))?.nanoseconds == 5_000_000)
        #expect(schedule.take(at: Instant(nanoseconds: 5_999_999)) == nil)
        // A stall of 10 ms: the ten that it held up are due in the past, not now.
        let late = Instant(nanoseconds: 15_000_000)
        #expect(schedule.overdue(at: late) == 10)
        let due = (0..<10).compactMap { _ in schedule.take(at: late)?.nanoseconds }
        let expected: [UInt64] = (1...10).map { 5_000_000 + $0 * 1_000_000 }
        #expect(due == expected)
        #expect(schedule.take(at: late) == nil)
        #expect(schedule.overdue(at: late) == 0)
    }

    @Test func theRateDoesNotDrift() {
        var schedule = SendSchedule(rate: 3, from: .origin)
        var last = Instant.origin
        for _ in 0..<3_000_000 { last = schedule.take(at: .distantFuture) ?? last }
        #expect(last.nanoseconds == 999_999_666_666_667)
    }
}

struct RequestShapeTests {
    private func shape(_ target: LoadTarget) -> RequestShape {
        RequestShape(
            target, path: Bytes("/a/b".utf8), valueSize: 3, random: SeededGenerator(seed: 1))
    }

    private func text(_ request: ClientRequest) -> String {
        let body = request.body.map { String(decoding: $0, as: UTF8.self) } ?? "-"
        let type = request.headers.isEmpty ? "" : " [\(request.headers[0].value)]"
        let target = String(decoding: request.target, as: UTF8.self)
        return "\(request.method) \(target)\(type) \(body)"
    }

    private func requests(_ target: LoadTarget) -> [String] {
        let shape = shape(target)
        var request = ClientRequest("X", "/left/over", body: [1])
        var all: [String] = []
        shape.read(42, into: &request)
        all.append(text(request))
        if shape.supports(.update) {
            shape.update(42, draw: 0, into: &request)
            all.append(text(request))
        }
        if shape.supports(.scan) {
            shape.scan(from: 7, limit: 10, into: &request)
            all.append(text(request))
        }
        if shape.supports(.batch) {
            shape.batch([1, 2_147_483_647], draw: 0, into: &request)
            all.append(text(request))
        }
        return all
    }

    @Test func requestsHaveTheirBytes() {
        #expect(
            requests(.martlet) == [
                "GET /v1/raw/kv/bench:0000000042 -",
                "PUT /v1/raw/kv/bench:0000000042 fQu",
                "GET /v1/raw/scan?start=bench:0000000007&limit=10 -",
                "POST /v1/raw/batch [application/json] {\"ops\":["
                    + "{\"op\":\"put\",\"key\":\"bench:0000000001\",\"value\":\"fQu\"},"
                    + "{\"op\":\"put\",\"key\":\"bench:2147483647\",\"value\":\"ZIM\"}]}",
            ])
        #expect(
            requests(.etcd) == [
                "POST /v3/kv/range [application/json] {\"key\":\"YmVuY2g6MDAwMDAwMDA0Mg==\"}",
                "POST /v3/kv/put [application/json] "
                    + "{\"key\":\"YmVuY2g6MDAwMDAwMDA0Mg==\",\"value\":\"ZlF1\"}",
                "POST /v3/kv/range [application/json] {\"key\":\"YmVuY2g6MDAwMDAwMDAwNw==\","
                    + "\"range_end\":\"YmVuY2g7\",\"limit\":\"10\"}",
            ])
        #expect(
            requests(.webdis) == [
                "GET /GET/bench:0000000042 -", "PUT /SET/bench:0000000042 fQu",
            ])
        #expect(requests(.file) == ["GET /a/b -"])
    }
}

struct LoadRecordTests {
    @Test func successesAndFailuresAreCountedApart() {
        var record = LoadRecord()
        for microseconds in 1...1000 { record.add(.read, microseconds: UInt64(microseconds)) }
        record.add(.update, microseconds: 5_000_000_000)
        record.add(status: 503)
        record.add(status: 503)
        record.add(failure: "closed")
        record.bytesReceived = 10
        #expect(record.completed == 1001)
        #expect(record.failed == 3)
        #expect(record.latency(.read).valueAtPercentile(50) == 500)
        #expect(record.latency(.read).valueAtPercentile(99) == 990)
        #expect(record.latency(.update).max >= LoadRecord.microsecondsMax)
        #expect(record.allLatencies.totalCount == 1001)

        var sum = LoadRecord()
        sum.add(record)
        sum.add(record)
        #expect(sum.completed == 2002)
        #expect(sum.statuses == [503: 4])
        #expect(sum.failures == ["closed": 2])
        #expect(sum.bytesReceived == 20)
        sum.reset()
        #expect(sum.completed == 0 && sum.failed == 0 && sum.bytesReceived == 0)
    }
}
