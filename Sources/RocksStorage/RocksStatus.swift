/// RocksDB's answers as this project's errors.
///
/// The C interface reports a status only as text. Its beginning is the name of the status code and,
/// for file errors, of the subcode; both have been the same since RocksDB 4 and are pinned by tests
/// here.
private import CRocksDB
internal import Storage

/// What the C interface writes its error text to.
typealias ErrorText = UnsafeMutablePointer<CChar>?

enum RocksStatus {
    /// A read restricted to memory would have had to go to the disk.
    case incomplete
    case error(StorageError)

    /// Takes ownership of the text.
    init(consuming text: UnsafeMutablePointer<CChar>) {
        self.init(String(cString: text))
        rocksdb_free(text)
    }

    init(_ text: String) {
        if text.hasPrefix("Result incomplete") {
            self = .incomplete
        } else if text.hasPrefix("Corruption") || text.hasPrefix("Invalid argument") {
            // In front of a fixed set of correct calls, an argument is invalid only because of what
            // the files say: an unknown column family, a comparator of another name.
            self = .error(.corrupt(text))
        } else if text.hasPrefix("IO error: No such file or directory") {
            self = .error(.corrupt("a file is missing: \(text)"))
        } else if text.hasPrefix("IO error: No space left on device") {
            self = .error(.full(text))
        } else {
            self = .error(.failed(text))
        }
    }

    var error: StorageError {
        switch self {
        case .incomplete: .failed("a read from disk was answered as if restricted to memory")
        case .error(let error): error
        }
    }
}

/// Calls into RocksDB and throws what it reports.
func calling<Result>(
    _ body: (UnsafeMutablePointer<ErrorText>) -> Result
) throws(StorageError) -> Result {
    var text: ErrorText = nil
    let result = body(&text)
    if let text { throw RocksStatus(consuming: text).error }
    return result
}

/// Bytes that outlive a call, for the bounds of an iterator.
struct CBytes: ~Copyable {
    let pointer: UnsafeMutablePointer<CChar>
    let count: Int

    init(_ bytes: [UInt8]) {
        count = bytes.count
        pointer = .allocate(capacity: max(1, count))
        bytes.withUnsafeBytes { UnsafeMutableRawPointer(pointer).copyMemory(from: $0) }
    }

    deinit { pointer.deallocate() }
}

extension UnsafeMutableRawPointer {
    fileprivate func copyMemory(from source: UnsafeRawBufferPointer) {
        if let base = source.baseAddress { copyMemory(from: base, byteCount: source.count) }
    }
}

/// The bytes as C has them: never a null pointer, which RocksDB would hand to memcmp.
func withCChars<Result>(
    _ bytes: [UInt8], _ body: (UnsafePointer<CChar>, Int) -> Result
) -> Result {
    bytes.withUnsafeBytes { raw in
        guard let base = raw.baseAddress else {
            return withUnsafePointer(to: CChar(0)) { body($0, 0) }
        }
        return body(base.assumingMemoryBound(to: CChar.self), raw.count)
    }
}
