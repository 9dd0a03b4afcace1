// What a writer was told: the judge of a store after a crash.
//
// Each key has one writer, which sends its next operation on a key only after the answer to the one
// before. So after a crash a key holds what was acknowledged last, or the one write that had no
// answer; anything else is a loss, a resurrection or a torn write.
import Base
import Foundation
import Synchronization

final class Ledger: Sendable {
    /// nil is an absent key.
    typealias Value = [UInt8]?

    private struct Entry {
        var acknowledged: Value = nil
        var unanswered: Value?
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var acknowledgements = 0
        var isStopped = false
    }

    private let state = Mutex(State())

    var acknowledgements: Int { state.withLock(\.acknowledgements) }
    var keys: [String] { state.withLock { $0.entries.keys.sorted() } }

    var isStopped: Bool { state.withLock(\.isStopped) }
    func stop() { state.withLock { $0.isStopped = true } }
    func resume() { state.withLock { $0.isStopped = false } }

    func sends(_ value: Value, to key: String) {
        state.withLock { $0.entries[key, default: Entry()].unanswered = .some(value) }
    }

    func acknowledged(_ value: Value, _ key: String) {
        state.withLock {
            $0.entries[key] = Entry(acknowledged: value)
            $0.acknowledgements += 1
        }
    }

    /// The server said that nothing was done.
    func refused(_ key: String) {
        state.withLock { $0.entries[key, default: Entry()].unanswered = nil }
    }

    /// What is wrong with `found`, or nil; from here on it is what the key holds.
    func judge(_ key: String, found: Value) -> String? {
        state.withLock { state in
            let entry = state.entries[key] ?? Entry()
            state.entries[key] = Entry(acknowledged: found)
            if found == entry.acknowledged { return nil }
            if let unanswered = entry.unanswered, found == unanswered { return nil }
            func text(_ value: Value) -> String {
                value.map { "\($0.count) bytes " + Ledger.label($0) } ?? "absent"
            }
            let other = entry.unanswered.map { " or \(text($0))" } ?? ""
            return "\(key): \(text(found)) instead of \(text(entry.acknowledged))\(other)"
        }
    }

    /// Reads every key back; the list of what is wrong.
    func check(_ wire: Wire) throws -> [String] {
        try keys.compactMap { key in
            let answer = try wire.request("GET", "/v1/raw/kv/\(key)")
            guard answer.status == 200 || answer.status == 404 else {
                return "\(key): \(answer.status) \(answer.text)"
            }
            return judge(key, found: answer.status == 200 ? answer.body : nil)
        }
    }

    /// A value of its own for each write: its label, then bytes that only this label gives, so
    /// that a piece of one value and a piece of another are seen.
    static func value(_ label: String, size: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: label.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
        var value = Array((label + "\n").utf8)
        while value.count < size {
            withUnsafeBytes(of: generator.next()) { value += $0.prefix(size - value.count) }
        }
        return value
    }

    private static func label(_ value: [UInt8]) -> String {
        String(decoding: value.prefix { $0 != 10 }.prefix(40), as: UTF8.self)
    }
}

/// One connection that writes its own keys until it is told to stop or the node is gone.
struct Writer: Sendable {
    let ledger: Ledger
    let name: String
    let port: UInt16
    let seed: UInt64

    static let keys = 30

    func run() {
        var generator = SeededGenerator(seed: seed)
        guard let wire = try? Wire(port: port) else { return }
        for count in 0..<100_000 where !ledger.isStopped {
            let key = "\(name)-\(Int.random(in: 0..<Writer.keys, using: &generator))"
            // The end of the connection is the end of the writer: what has no answer stays open.
            do {
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: try delete(key, wire)
                case 1: try batch("\(name).\(seed).\(count)", wire, &generator)
                default: try put(key, "\(name).\(seed).\(count)", wire, &generator)
                }
            } catch { return }
        }
    }

    private func put(
        _ key: String, _ label: String, _ wire: Wire, _ generator: inout SeededGenerator
    ) throws {
        // Mostly small; some are larger than a block of the write-ahead log (32 KiB).
        let isLarge = Int.random(in: 0..<10, using: &generator) == 0
        let size = Int.random(in: 0...(isLarge ? 100_000 : 500), using: &generator)
        let value = Ledger.value(label, size: size)
        ledger.sends(value, to: key)
        settle(try wire.request("PUT", "/v1/raw/kv/\(key)", value), [(key, value)])
    }

    private func delete(_ key: String, _ wire: Wire) throws {
        ledger.sends(nil, to: key)
        settle(try wire.request("DELETE", "/v1/raw/kv/\(key)"), [(key, nil)])
    }

    private func batch(
        _ label: String, _ wire: Wire, _ generator: inout SeededGenerator
    ) throws {
        let start = Int.random(in: 0..<Writer.keys - 5, using: &generator)
        let writes = (start..<start + 5).map { ("\(name)-\($0)", Array("\(label)/\($0)".utf8)) }
        let items = writes.map { (key, value) in
            #"{"op":"put","key":"\#(key)","value":"\#(String(decoding: value, as: UTF8.self))"}"#
        }
        for (key, value) in writes { ledger.sends(value, to: key) }
        let body = #"{"ops":["# + items.joined(separator: ",") + "]}"
        let answer = try wire.request("POST", "/v1/raw/batch", Array(body.utf8))
        // One that failed has no fixed outcome here: it stays as sent.
        guard answer.text.contains(#""failed":0"#) else { return }
        settle(answer, writes)
    }

    private func settle(_ answer: Wire.Answer, _ writes: [(String, Ledger.Value)]) {
        for (key, value) in writes where answer.isSuccess || answer.status == 404 {
            ledger.acknowledged(value, key)
        }
    }
}
