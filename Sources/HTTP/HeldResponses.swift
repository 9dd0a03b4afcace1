/// Counts the bytes of answers that wait to be sent, a large body that several answers share only
/// once.
///
/// Without that, a hundred readers of one 4 MiB value would seem to hold 400 MiB and be turned
/// away.
internal import Base

struct HeldResponses {
    /// Bodies smaller than this are counted each for itself: sharing them saves less than finding
    /// out.
    static let sharedFrom = 64 << 10

    /// Bodies up to this are held whatever there is: the problem that would take the place of a
    /// larger one has to be held too. Exchanges are bounded in number, and cost as much themselves.
    static let tiny = 1 << 10

    private let limit: Int
    private(set) var bytes = 0
    /// Answers that hold each large body, by the address of its first byte: arrays that share
    /// storage share it, and the address is taken by no other array while one of them is held.
    private var holders: [UnsafeRawPointer: Int] = [:]

    init(limit: Int) { self.limit = limit }

    mutating func hold(_ body: Bytes) {
        guard let address = Self.address(body) else {
            bytes += body.count
            return
        }
        let count = holders[address, default: 0]
        holders[address] = count + 1
        if count == 0 { bytes += body.count }
    }

    mutating func release(_ body: Bytes) {
        guard let address = Self.address(body) else {
            bytes -= body.count
            return
        }
        guard let count = holders[address] else { invariant(false, "a body was held"); return }
        holders[address] = count > 1 ? count - 1 : nil
        if count == 1 { bytes -= body.count }
    }

    /// True if this body could be held: tiny, already held by another answer, or within the limit.
    func admits(_ body: Bytes) -> Bool {
        if bytes + body.count <= limit || body.count <= Self.tiny {
            return true
        }
        return Self.address(body).map { holders[$0] != nil } ?? false
    }

    private static func address(_ body: Bytes) -> UnsafeRawPointer? {
        guard body.count >= sharedFrom else { return nil }
        return body.withUnsafeBytes { $0.baseAddress }
    }
}
