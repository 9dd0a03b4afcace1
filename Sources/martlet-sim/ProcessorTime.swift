/// What this process has had of the processor: how fast worlds are does not depend on what else
/// runs on the machine.
internal import Glibc

enum ProcessorTime {
    /// Of all its threads since it began; it has one that works.
    static var ofProcess: Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
