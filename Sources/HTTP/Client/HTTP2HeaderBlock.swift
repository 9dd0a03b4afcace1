/// The header fields of a request as nghttp2 takes them: built in place, anew for each request.
///
/// A value with one entry, so that a request costs one exclusivity check and, once the buffers have
/// grown, no allocation. The fields that never change stand at the front and stay there.
internal import CNghttp2

struct HTTP2HeaderBlock {
    private struct Field {
        var name: Range<Int>
        var value: Range<Int>
    }

    private var bytes: [UInt8] = []
    private var fields: [Field] = []
    private var nameValues: [nghttp2_nv] = []
    private let constantBytes: Int
    private let constantFields: Int

    init(scheme: String, authority: String) {
        let constant = [(":scheme", scheme), (":authority", authority)]
        for (name, value) in constant {
            let start = bytes.count
            bytes.append(contentsOf: name.utf8)
            let middle = bytes.count
            bytes.append(contentsOf: value.utf8)
            fields.append(Field(name: start..<middle, value: middle..<bytes.count))
        }
        constantBytes = bytes.count
        constantFields = fields.count
    }

    // Hot path: once per request of the load generator.
    /// The fields are valid within `body` only; nghttp2 copies them.
    mutating func with<T>(
        _ request: borrowing ClientRequest,
        _ body: (UnsafeBufferPointer<nghttp2_nv>) -> T
    ) -> T {
        bytes.removeSubrange(constantBytes...)
        fields.removeSubrange(constantFields...)
        add(":method", request.method.utf8)
        add(":path", request.target)
        for header in request.headers { add(lowercasing: header.name, header.value.utf8) }
        if let content = request.body { add("content-length", String(content.count).utf8) }
        nameValues.removeAll(keepingCapacity: true)
        return bytes.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else {
                return body(UnsafeBufferPointer(start: nil, count: 0))
            }
            for field in fields {
                nameValues.append(
                    nghttp2_nv(
                        name: base + field.name.lowerBound, value: base + field.value.lowerBound,
                        namelen: field.name.count, valuelen: field.value.count,
                        flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
            }
            return nameValues.withUnsafeBufferPointer(body)
        }
    }

    private mutating func add(_ name: StaticString, _ value: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        addValue(value, nameFrom: start)
    }

    /// RFC 9113 §8.2: names are in lower case.
    private mutating func add(lowercasing name: String, _ value: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8.lazy.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 })
        addValue(value, nameFrom: start)
    }

    private mutating func addValue(_ value: some Collection<UInt8>, nameFrom start: Int) {
        let middle = bytes.count
        bytes.append(contentsOf: value)
        fields.append(Field(name: start..<middle, value: middle..<bytes.count))
    }
}
