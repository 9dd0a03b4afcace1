// Tables for a person and for a pipe.
import Terminal
import Testing

@Suite struct TableTests {
    private var table: Table {
        var table = Table("key", "value")
        table.add("a", "1")
        table.add("long key", "tab\there \u{1B}[31m \\ \"q\"")
        return table
    }

    @Test func alignedForAPerson() {
        #expect(
            table.text(aligned: true) == """
                KEY       VALUE
                a         1
                long key  tab\\there \\u001b[31m \\\\ "q"

                """)
    }

    @Test func tabsForAPipe() {
        #expect(
            table.text(aligned: false)
                == "a\t1\nlong key\ttab\\there \\u001b[31m \\\\ \"q\"\n")
    }

    @Test(
        arguments: [
            ([0x61, 0xFF, 0x62], "a\\xffb"), ([0x00, 0x0A], "\\u0000\\n"), ([], ""),
            ([0xC3, 0xA9, 0xC3], "é\\xc3"), ([0x5C, 0xFE], "\\\\\\xfe"),
            (
                [0xED, 0xA0, 0x80],
                "\\xed\\xa0\\x80"
            ),
        ] as [([UInt8], String)])
    func bytes(_ bytes: [UInt8], shown: String) {
        #expect(Table.printable(bytes) == shown)
    }
}
