/// One run of a load: connects, loads keys, warms up, measures; all on one event loop.
///
/// One thread without locks, since it shares the machine with the server that it measures. A slot
/// is one request that may be in flight; a lane is a connection with its slots. In a closed loop a
/// slot sends its next request when it is answered; in an open loop free slots wait for
/// `SendSchedule`.
internal import Base
private import DequeModule
private import Glibc
package import HTTP
internal import NIOCore
private import NIOPosix

package enum LoadError: Error, Hashable, Sendable {
    case unreachable(ClientError)
    /// The workload needs something that the target does not have.
    case unsupported(LoadTarget, OperationKind)
    /// Too many of the requests that load the keys failed; the last reason.
    case loadFailed(reason: String)
}

package final class LoadRun {
    struct Slot {
        var kind = OperationKind.read
        /// From here the latency counts: when it was due, or in a closed loop when it was sent.
        var due = Instant.origin
        var sent = Instant.origin
        var key = 0
        /// Of a load batch: how many keys from `key` on.
        var keyCount = 1
        var status = 0
        var isBusy = false
        var isSecondHalf = false
    }

    let plan: LoadPlan
    let loop: any EventLoop
    private let progress: @Sendable (LoadProgress) -> Void
    private let finished: EventLoopPromise<LoadReport>
    private let shape: RequestShape
    private var keys: KeyChooser
    private var random: SeededGenerator
    private var request = ClientRequest("GET", [])
    private var slots: [Slot]
    private var freeSlots: Deque<Int> = []
    private var lanes: [LoadLane] = []
    /// Lanes with requests that are not flushed; a lane may stand here twice.
    private var touched: [LoadLane] = []
    private var inserts: InsertOrder

    private var phase = LoadPhase.warmup
    private var phaseStart = Instant.origin
    private var load: KeyLoad
    private var schedule: SendSchedule?
    private var wakeUp: Scheduled<Void>?
    private var isOver = false
    private var interval = LoadRecord()
    private var intervalStart = Instant.origin
    private var total = LoadRecord()
    private var processorTime = 0.0

    /// Wake-ups closer than this cost more than they tell.
    private static let wakeUpDistance = Duration.microseconds(100)

    package static func run(
        _ plan: LoadPlan, progress: @escaping @Sendable (LoadProgress) -> Void
    ) async throws(LoadError) -> LoadReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let outcome: Result<LoadReport, LoadError>
        do {
            outcome = .success(
                try await loop.flatSubmit { LoadRun.start(plan, loop, progress) }.get())
        } catch let error as LoadError {
            outcome = .failure(error)
        } catch {
            outcome = .failure(
                .unreachable(
                    .connectFailed(
                        address: plan.origin.authority, reason: String(describing: error))))
        }
        do {
            try await group.shutdownGracefully()
        } catch {
            invariant(false, "a group of our own shuts down: \(error)")
        }
        return try outcome.get()
    }

    private static func start(
        _ plan: LoadPlan, _ loop: any EventLoop,
        _ progress: @escaping @Sendable (LoadProgress) -> Void
    ) -> EventLoopFuture<LoadReport> {
        let run = LoadRun(plan, loop, progress)
        for (kind, _) in plan.workload.mix where !run.shape.supports(kind) {
            run.finished.fail(LoadError.unsupported(plan.target, kind))
            return run.finished.futureResult
        }
        run.connect()
        return run.finished.futureResult
    }

    private init(
        _ plan: LoadPlan, _ loop: any EventLoop,
        _ progress: @escaping @Sendable (LoadProgress) -> Void
    ) {
        self.plan = plan
        self.loop = loop
        self.progress = progress
        finished = loop.makePromise()
        random = SeededGenerator(seed: plan.seed)
        keys = KeyChooser(
            plan.distribution ?? plan.workload.distributionDefault, count: plan.keys,
            random: random.split())
        shape = RequestShape(
            plan.target, path: plan.path, valueSize: plan.valueSize, random: random.split())
        slots = Array(repeating: Slot(), count: plan.connections * plan.streams)
        inserts = InsertOrder(first: plan.keys)
        load = KeyLoad(
            keys: plan.loadsKeys ? plan.keys : 0,
            perRequest: plan.target == .martlet ? KeyLoad.batchEntries : 1)
    }

    // MARK: Connections

    private func connect() {
        let tls: TLSContext?
        do throws(TLSFileError) {
            tls = plan.origin.scheme == .https ? try plan.options.makeTLSContext() : nil
        } catch {
            let reason = ClientError.tlsFailed(
                address: plan.origin.authority, reason: error.description)
            return finished.fail(LoadError.unreachable(reason))
        }
        lanes = (0..<plan.connections).map { LoadLane(self, number: $0, tls: tls) }
        let run = NIOLoopBound(self, eventLoop: loop)
        // All of them, since the event loop ends with a failure: a connection still being made
        // would then have none to end on.
        EventLoopFuture.whenAllComplete(lanes.map { $0.connect() }, on: loop).whenSuccess {
            run.value.connected($0)
        }
    }

    private func connected(_ results: [Result<Void, any Error>]) {
        for case .failure(let error) in results {
            let known = error as? ClientError
            return fail(
                .unreachable(
                    known
                        ?? .connectFailed(
                            address: plan.origin.authority, reason: String(describing: error))))
        }
        begin()
    }

    private func begin() {
        enter(load.isComplete ? .warmup : .load)
        freeSlots = Deque(slots.indices)
        dispatch()
    }

    /// A lane is connected again: its slots take part once more.
    func laneReturned(_ lane: LoadLane) {
        freeSlots.append(contentsOf: lane.parked)
        lane.parked = []
        dispatch()
    }

    // MARK: Phases

    private func enter(_ next: LoadPhase) {
        phase = next
        let now = self.now
        phaseStart = now
        intervalStart = now
        interval.reset()
        total.reset()
        let run = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { task in
            let isCurrent = !run.value.isOver && run.value.phase == next
            if isCurrent { run.value.tick() } else { task.cancel() }
        }
        if next == .load { return }
        if next == .warmup { schedule = plan.rate.map { SendSchedule(rate: $0, from: now) } }
        if next == .measure { processorTime = Self.processorTime() }
        let length = next == .warmup ? plan.warmup : plan.duration
        loop.scheduleTask(in: .nanoseconds(Int64(clamping: length.wholeNanoseconds))) {
            if next == .warmup { run.value.enter(.measure) } else { run.value.finish() }
        }
    }

    private func tick() {
        let now = self.now
        report(now)
        for lane in lanes { lane.expire(before: now, plan.options.responseTimeout) }
    }

    private func report(_ now: Instant) {
        progress(
            LoadProgress(
                phase: phase, elapsed: now.since(phaseStart), keysLoaded: load.keysDone,
                interval: interval, intervalLength: now.since(intervalStart)))
        total.add(interval)
        interval.reset()
        intervalStart = now
    }

    private func finish() {
        guard !isOver else { return }
        let now = self.now
        let measured = now.since(phaseStart)
        let used = Self.processorTime() - processorTime
        total.add(interval)
        stop()
        let seconds = Double(measured.wholeNanoseconds) / 1e9
        finished.succeed(
            LoadReport(record: total, measured: measured, generatorLoad: used / seconds))
    }

    private func fail(_ error: LoadError) {
        guard !isOver else { return }
        stop()
        finished.fail(error)
    }

    private func stop() {
        isOver = true
        wakeUp?.cancel()
        for lane in lanes { lane.close() }
        lanes = []
    }

    // MARK: Requests

    var now: Instant { Instant(nanoseconds: NIODeadline.now().uptimeNanoseconds) }

    /// Sends what is due on the slots that are free.
    private func dispatch() {
        guard !isOver else { return }
        while let index = freeSlots.first {
            let lane = lanes[index / plan.streams]
            guard lane.isOpen else {
                lane.parked.append(freeSlots.removeFirst())
                continue
            }
            guard let due = nextDue() else { break }
            freeSlots.removeFirst()
            start(index, lane, due)
        }
        for lane in touched { lane.flush() }
        touched.removeAll(keepingCapacity: true)
        if schedule != nil, phase != .load { planWakeUp() }
    }

    /// nil if nothing is to be sent now.
    private func nextDue() -> Instant? {
        let now = self.now
        if phase == .load { return load.hasMore ? now : nil }
        return schedule == nil ? now : schedule?.take(at: now)
    }

    private func planWakeUp() {
        guard wakeUp == nil, !freeSlots.isEmpty, let due = schedule?.nextDue else { return }
        let run = NIOLoopBound(self, eventLoop: loop)
        let wait = max(due.since(now), Self.wakeUpDistance)
        wakeUp = loop.scheduleTask(in: .nanoseconds(Int64(clamping: wait.wholeNanoseconds))) {
            run.value.wakeUp = nil
            run.value.dispatch()
        }
    }

    // Hot path: once per request.
    private func start(_ index: Int, _ lane: LoadLane, _ due: Instant) {
        var slot = Slot()
        slot.due = due
        slot.sent = schedule == nil || phase == .load ? due : now
        slot.isBusy = true
        if phase == .load {
            let range = load.take()
            slot.kind = plan.target == .martlet ? .batch : .update
            slot.key = range.lowerBound
            slot.keyCount = range.count
        } else {
            slot.kind = plan.workload.kind(&random)
            slot.keyCount = slot.kind == .batch ? plan.batchEntries : 1
            slot.key = slot.kind == .insert ? inserts.take() : keys.next()
        }
        slots[index] = slot
        write(slot)
        touched.append(lane)
        lane.submit(request, index % plan.streams)
    }

    private func write(_ slot: Slot) {
        switch slot.kind {
        case .read: shape.read(slot.key, into: &request)
        case .update, .insert: shape.update(slot.key, draw: random.next(), into: &request)
        case .readModifyWrite where !slot.isSecondHalf: shape.read(slot.key, into: &request)
        case .readModifyWrite: shape.update(slot.key, draw: random.next(), into: &request)
        case .scan:
            let most = UInt64(plan.workload.scansVary ? 100 : plan.scanEntries)
            let limit =
                plan.workload.scansVary ? Int.random(in: 1...Int(most), using: &random) : Int(most)
            shape.scan(from: slot.key, limit: limit, into: &request)
        case .batch where phase == .load:
            let range = slot.key..<slot.key + slot.keyCount
            shape.batch(range, draw: random.next(), into: &request)
        case .batch:
            let chosen = [slot.key] + (1..<max(slot.keyCount, 1)).map { _ in keys.next() }
            shape.batch(chosen, draw: random.next(), into: &request)
        }
    }

    // MARK: Answers

    func received(status: Int, _ index: Int) { slots[index].status = status }

    func received(bytes: Int) { interval.bytesReceived += bytes }

    // Hot path: once per answer.
    func completed(_ index: Int, _ lane: LoadLane) {
        guard !isOver else { return }
        let slot = slots[index]
        let isSuccess = (200..<300).contains(slot.status)
        if isSuccess, slot.kind == .readModifyWrite, !slot.isSecondHalf {
            slots[index].isSecondHalf = true
            write(slots[index])
            return lane.submit(request, index % plan.streams)
        }
        if isSuccess {
            if phase != .load || slot.kind == .batch {
                let nanoseconds = now.since(slot.due).wholeNanoseconds
                interval.add(slot.kind, microseconds: nanoseconds / 1000)
            }
        } else {
            interval.add(status: slot.status)
        }
        ended(index, lane, isSuccess ? nil : "status \(slot.status)")
    }

    func failed(_ index: Int, _ lane: LoadLane, _ error: ClientError) {
        guard !isOver else { return }
        interval.add(failure: error.briefName)
        ended(index, lane, error.description)
    }

    private func ended(_ index: Int, _ lane: LoadLane, _ failure: String?) {
        let slot = slots[index]
        slots[index].isBusy = false
        if phase == .load {
            load.ended(slot.key..<slot.key + slot.keyCount, failed: failure != nil)
            if let failure, load.isHopeless { return fail(.loadFailed(reason: failure)) }
            if load.isComplete { enter(.warmup) }
        } else if slot.kind == .insert {
            inserts.ended(slot.key)
            keys.grow(to: inserts.allBelow)
        }
        freeSlots.append(index)
        dispatch()
    }

    private static func processorTime() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// The slots of a lane that wait for an answer since before `limit`.
    func stale(_ lane: Int, before limit: Instant) -> [Int] {
        (0..<plan.streams).filter {
            let slot = slots[lane * plan.streams + $0]
            return slot.isBusy && slot.sent < limit
        }
    }
}
