// Entity tags: 32 digits, and the lists of If-Match as RFC 9110 writes them and as people do.
import API
import Base
import Testing

@Suite struct EntityTagTests {
    private let one = Fingerprint(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
    private let other = Fingerprint(high: 0, low: 1)

    private func list(_ text: String) -> EntityTagList? { EntityTagList(Bytes(text.utf8)[...]) }

    @Test func tagsAre32Digits() {
        #expect(one.tag == Bytes("0123456789abcdeffedcba9876543210".utf8))
        #expect(one.quotedTag == Bytes("\"0123456789abcdeffedcba9876543210\"".utf8))
        #expect(Fingerprint(tag: one.tag[...]) == one)
        for wrong in [
            "", "0", "0123456789ABCDEFFEDCBA9876543210", "0123456789abcdeffedcba987654321g",
            "0123456789abcdeffedcba98765432100",
        ] {
            #expect(Fingerprint(tag: Bytes(wrong.utf8)[...]) == nil)
        }
    }

    @Test func listsAsRFC9110WritesThem() {
        let tag = "0123456789abcdeffedcba9876543210"
        for text in [
            "\"\(tag)\"", tag, " \"\(tag)\" ", "\"x\", \"\(tag)\"", ",,\"\(tag)\",", "x,\(tag)",
            "\"a,b\",\"\(tag)\"",
        ] {
            #expect(list(text)?.matchesStrongly(one) == true, "\(text)")
            #expect(list(text)?.matchesWeakly(one) == true, "\(text)")
            #expect(list(text)?.matchesWeakly(other) == false, "\(text)")
        }
        #expect(list("W/\"\(tag)\"")?.matchesStrongly(one) == false)
        #expect(list("W/\"\(tag)\"")?.matchesWeakly(one) == true)
        #expect(list(" * ") == .any)
        #expect(list("*")?.matchesStrongly(one) == true)
    }

    @Test(arguments: [
        "", " ", ",", "\"", "\"x", "x\"", "\"x\" \"y\"", "a b", "*,\"x\"", "\"x\",*", "\"a b\"",
    ])
    func malformedListsAreRefused(_ text: String) {
        #expect(list(text) == nil)
    }
}
