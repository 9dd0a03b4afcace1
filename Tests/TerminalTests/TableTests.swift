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

    // Each value begins in the column that a terminal has it in, whatever the key is written with.
    @Test func wideKeysDoNotShiftColumns() {
        var table = Table("key", "value")
        for key in ["abcdef", "日本", "🎉é", "e\u{301}❤\u{FE0F}", "한글a", "🇨🇭"] { table.add(key, "v") }
        #expect(
            table.text(aligned: true) == """
                KEY     VALUE
                abcdef  v
                日本    v
                🎉é     v
                e\u{301}❤\u{FE0F}     v
                한글a   v
                🇨🇭      v

                """)
    }

    @Test(
        arguments: [
            ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("ｱ", 1), ("Ａ", 2),
            ("🎉", 2), ("❤", 1), ("❤\u{FE0F}", 2), ("👩‍👧", 2), ("🇨🇭", 2), ("한", 2), ("한", 2),
            ("\u{200B}", 0), ("ж—", 2), ("𠀀", 2),
        ] as [(String, Int)])
    func columns(_ text: String, count: Int) {
        #expect(text.columns == count, "\(text.unicodeScalars.map { String($0.value, radix: 16) })")
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
