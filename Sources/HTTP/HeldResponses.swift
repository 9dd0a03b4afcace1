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

    private(set) var bytes = 0
    /// Answers that hold each large body, by the address of its first byte: arrays that share
    /// storage share it, and the address is taken by no other array while one of them is held.
    private var holders: [UnsafeRawPointer: Int] = [:]

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

    /// True if this body could be held: small, already held by another answer, or within the limit.
    func admits(_ body: Bytes) -> Bool {
        guard let address = Self.address(body) else { return true }
        return bytes + body.count <= Limits.responseBytesPerCore || holders[address] != nil
    }

    private static func address(_ body: Bytes) -> UnsafeRawPointer? {
        guard body.count >= sharedFrom else { return nil }
        return body.withUnsafeBytes { $0.baseAddress }
    }
}
