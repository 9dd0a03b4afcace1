/// Bytewise order by `memcmp`: negative, zero or positive.
///
/// The one place below the hosts that imports the C library, for a comparison that every read and
/// every engine makes and that no loop in Swift matches.
private import Glibc

@usableFromInline
package func compareBytes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let shared = min(a.count, b.count)
    if shared > 0, let x = a.baseAddress, let y = b.baseAddress {
        let order = memcmp(x, y, shared)
        if order != 0 { return Int(order) }
    }
    return a.count - b.count
}
