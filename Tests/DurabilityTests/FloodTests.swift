// HTTP/2 floods against the whole process, by frames made by hand: each ends with the connection
// closed or held back, memory as before, and an ordinary client answered beside it.
import Foundation
import Testing

@Suite(.serialized) struct FloodTests {
    struct Flood: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// What may take the last token, as `martlet_http_floods_total` calls it: reset streams
        /// still count as open, so that those past the limit are reset by the server. None if the
        /// connection is only held back.
        var kinds: [String] = []
        /// Once, after the preface.
        var first: [UInt8] = []
        /// Again and again; the number is that of a new stream.
        var frames: @Sendable (UInt32) -> [UInt8]
    }

    static let floods: [Flood] = [
        Flood(testDescription: "rapid reset (CVE-2023-44487)", kinds: ["reset", "server_reset"]) {
            get($0) + frame(3, stream: $0, [0, 0, 0, 8])
        },
        Flood(
            testDescription: "CONTINUATION without end (CVE-2024-28182)", kinds: ["continuation"],
            first: frame(1, flags: 1, stream: 1, block)
        ) { _ in frame(9, stream: 1, Array("\0\u{1}x\u{1}y".utf8)) },
        Flood(testDescription: "SETTINGS", kinds: ["settings"]) { _ in frame(4, []) },
        Flood(testDescription: "PING", kinds: ["ping"]) { _ in frame(6, [0, 1, 2, 3, 4, 5, 6, 7]) },
        Flood(
            testDescription: "empty DATA", kinds: ["empty_frame"],
            first: frame(
                1, flags: 4, stream: 1, [0x83, 0x86, 0x04, 12] + Array("/v1/raw/kv/a".utf8) + host)
        ) { _ in frame(0, stream: 1, []) },
        Flood(testDescription: "PRIORITY", kinds: ["priority"]) {
            frame(2, stream: $0, [0, 0, 0, 0, 1])
        },
        Flood(testDescription: "streams past the limit") { get($0, end: false) },
    ]

    @Test(arguments: floods, [true, false])
    func isOutlived(flood: Flood, isReading: Bool) throws {
        try withNode { node in
            try node.answersAsEver("before")
            let before = node.residentBytes
            let wire = try Wire(port: node.port, limit: 3)
            wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            wire.send(frame(4, []) + flood.first)
            var isOver = false
            var most = 0
            // 200 frames a time, 100,000 in all.
            for turn in UInt32(0)..<500 where !isOver {
                let frames = (0..<200).flatMap { flood.frames(3 + 2 * (turn * 200 + $0)) }
                // Not taken for three seconds is held back.
                isOver = !wire.send(frames)
                while isReading, !isOver {
                    let reading = wire.receive(isWaiting: false)
                    if reading == .nothing { break }
                    isOver = reading == .end
                }
                if turn % 50 == 0 { most = max(most, node.residentBytes) }
            }
            if !flood.kinds.isEmpty {
                if isReading { #expect(isOver, "100,000 frames and still served") }
                let lines = flood.kinds.map { "\nmartlet_http_floods_total{kind=\"\($0)\"} 1\n" }
                let isNamed = try poll(.seconds(10)) {
                    let metrics = try node.connect().request("GET", "/metrics").text
                    return lines.contains { metrics.contains($0) }
                }
                #expect(isNamed, "no cut by \(flood.kinds) in the metrics")
            }
            most = max(most, node.residentBytes)
            #expect(most - before <= 24 << 20, "\(most - before) bytes more")
            try node.answersAsEver("after \(flood.testDescription)")
        }
    }
}

func frame(
    _ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8]
) -> [UInt8] {
    let length = UInt32(payload.count)
    return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
        + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> UInt32($0)) } + payload
}

/// `:authority: localhost`, a literal that is not indexed (RFC 7541 §6.2.2).
private let host = [0x01, 9] + Array("localhost".utf8)
/// GET, http, /.
private let block: [UInt8] = [0x82, 0x86, 0x84] + host

private func get(_ stream: UInt32, end: Bool = true) -> [UInt8] {
    frame(1, flags: end ? 5 : 4, stream: stream, block)
}
