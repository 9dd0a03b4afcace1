// The front's small pieces: the date, names that must agree with the API's, the address book of
// hosts.
import API
import Base
import HTTP
import Testing

@Suite struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ])
    func isWrittenAsRFC9110Says(seconds: Int, text: String) {
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: HTTPDate.length)
        defer { bytes.deallocate() }
        HTTPDate.write(seconds, to: bytes)
        #expect(
            String(decoding: UnsafeBufferPointer(start: bytes, count: 29), as: UTF8.self) == text)
    }

    @Test func theWiresNamesAreTheAPIs() {
        for name in ResponseHeaderName.allCases {
            #expect(
                name.wire.withUTF8Buffer { String(decoding: $0, as: UTF8.self) } == name.rawValue)
        }
        for type in ContentType.allCases {
            #expect(
                type.wire.withUTF8Buffer { String(decoding: $0, as: UTF8.self) } == type.rawValue)
        }
    }
}
