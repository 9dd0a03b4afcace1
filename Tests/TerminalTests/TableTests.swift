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
}
