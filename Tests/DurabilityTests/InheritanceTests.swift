// What a program that a node starts would inherit: when it crashes, the Swift runtime starts one.
import Foundation
import Testing

@Suite struct InheritanceTests {
    /// proc(5): `flags` of fdinfo are octal, and close-on-exec is O_CLOEXEC among them.
    @Test func noSocketOfANodeIsInherited() throws {
        try withNode { node in
            let wire = try node.connect()
            #expect(try wire.request("GET", "/readyz").isSuccess)
            let process = "/proc/\(node.pid)"
            var sockets = 0
            for name in try FileManager.default.contentsOfDirectory(atPath: process + "/fd") {
                // Others may be closed meanwhile.
                guard
                    let target = try? FileManager.default.destinationOfSymbolicLink(
                        atPath: "\(process)/fd/\(name)"),
                    target.hasPrefix("socket:"),
                    let info = FileHandle(forReadingAtPath: "\(process)/fdinfo/\(name)")
                else { continue }
                let text = String(decoding: try info.readToEnd() ?? Data(), as: UTF8.self)
                let flags = try #require(text.firstMatch(of: /flags:\s+([0-7]+)/)).1
                sockets += 1
                #expect(Int32(flags, radix: 8).map { $0 & O_CLOEXEC } == O_CLOEXEC, "\(name)")
            }
            #expect(sockets >= 2, "the listener and a connection")
            withExtendedLifetime(wire) {}
        }
    }
}
