/// swift-log's handler for one node: each event is one line, and one `write` call, to standard
/// error.
///
/// No rotation and no files: that is the work of journald or of the container's runtime. A line
/// that cannot be written is dropped, since there is nowhere to say so; the node goes on.
package import Base
private import Glibc
package import Logging

package struct StandardErrorLog: LogHandler {
    package enum Form: Sendable {
        case logfmt, json
    }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let form: Form
    private let descriptor: Int32

    package init(_ form: Form, level: Logger.Level, descriptor: Int32 = STDERR_FILENO) {
        self.form = form
        self.descriptor = descriptor
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields: [String: LogRecord.Field] = [:]
        let layers = [metadataProvider?.get() ?? [:], metadata, event.metadata ?? [:]]
        for layer in layers {
            for (name, value) in layer { fields[name] = LogRecord.Field(value) }
        }
        let record = LogRecord(
            time: WallTime.current, level: event.level.rawValue,
            message: event.message.description, fields: fields)
        writeLine(form == .json ? record.json : record.logfmt, to: descriptor)
    }
}

extension LogRecord.Field {
    fileprivate init(_ value: Logger.MetadataValue) {
        switch value {
        case .stringConvertible(let number as Int): self = .number(number)
        case .stringConvertible(let flag as Bool): self = .boolean(flag)
        default: self = .text("\(value)")
        }
    }
}

extension WallTime {
    package static var current: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(
            milliseconds: UInt64(clamping: time.tv_sec) * 1000 + UInt64(time.tv_nsec / 1_000_000))
    }
}

/// The line and its end in one call, so that lines of several threads do not mix.
package func writeLine(_ line: String, to descriptor: Int32) {
    var bytes = Array(line.utf8)
    bytes.append(0x0A)
    writeAll(bytes, to: descriptor)
}

/// False if the other side is gone or the disk is full.
@discardableResult
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
            let written = write(
                descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                return false
            }
            rest = rest.dropFirst(written)
        }
        return true
    }
}
