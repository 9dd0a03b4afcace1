// The configuration file's reader: what it takes, what it refuses, and that it names the line.
import Settings
import Testing

@Suite struct SettingsFileTests {
    private func read(_ text: String) throws(SettingsError) -> [String: SettingsFile.Value] {
        let file = try SettingsFile(path: "m.toml", text: text)
        return Dictionary(uniqueKeysWithValues: file.entries.map { ($0.key, $0.value) })
    }

    @Test(arguments: [
        (#"a = "x""#, SettingsFile.Value.text("x")),
        (#"a="""#, .text("")),
        ("a = 'C:\\new'", .text("C:\\new")),
        (#"a = "q\"b\\n\n\tA\u00e9\U0001F600" # c"#, .text("q\"b\\n\n\tAé😀")),
        ("\t a \t=\t'#' # comment", .text("#")),
        ("a = 1_000", .integer(1000)), ("a = -5", .integer(-5)), ("a = +7", .integer(7)),
        ("a = 0", .integer(0)), ("a = true", .boolean(true)), ("a = false#", .boolean(false)),
        ("a = []", .list([])), (#"a = ["x", 'y',]"#, .list(["x", "y"])),
        ("\u{FEFF}a = 1", .integer(1)), ("a = 1\r\n", .integer(1)),
        ("# only a comment\n\n  \na = 1\n", .integer(1)),
    ])
    func taken(text: String, value: SettingsFile.Value) throws {
        #expect(try read(text) == ["a": value])
    }

    @Test(arguments: [
        ("a", "`=` was expected after a"), ("= 1", "a key was expected"),
        ("a =", "a has no value"), ("a = # x", "a has no value"),
        ("a = hello", #"a text needs quotation marks: a = "hello""#),
        ("a = 1.5", #"a text needs quotation marks: a = "1.5""#),
        ("a = 007", #"a text needs quotation marks: a = "007""#),
        ("a = 1__0", #"a text needs quotation marks: a = "1__0""#),
        ("a = 99999999999999999999", #"a text needs quotation marks: a = "99999999999999999999""#),
        ("[server]", "sections are not used: every key stands at the top level"),
        (#"a = "x"#, "the text has no closing quotation mark"),
        (#"a = """x""""#, "a text over several lines is not taken"),
        (#"a = "\x""#, #"an unknown escape; a backslash itself is written `\\`"#),
        (#"a = "\uD800""#, "4 hexadecimal digits of a Unicode scalar were expected"),
        ("a = \"\u{1}\"", "a control character in a text"),
        ("a = 1 2", "nothing but a comment may follow the value of a"),
        ("a = [1]", "a list holds texts in quotation marks and ends with `]` on its line"),
        ("a = [", "a list holds texts in quotation marks and ends with `]` on its line"),
        (#"a = ["x" "y"]"#, "`,` or `]` was expected in the list"),
    ])
    func refused(line: String, reason: String) {
        #expect(throws: SettingsError.syntax(path: "m.toml", line: 3, reason)) {
            try read("# one\n\n" + line + "\n")
        }
    }

    @Test func aKeyTwiceNamesBothLines() {
        let expected = SettingsError.syntax(
            path: "m.toml", line: 3, "cores is set a second time (first in line 1)")
        #expect(throws: expected) { try read("cores = 1\nlisten = []\ncores = 2") }
    }

    // Any line that begins like an entry gives a value or an error, never a trap.
    @Test func everyShortLineIsAnswered() throws {
        let alphabet: [Character] = ["a", "=", "\"", "'", "\\", "[", "]", ",", "#", " ", "1", "u"]
        var answered = 0
        func extend(_ text: String, _ depth: Int) {
            do throws(SettingsError) {
                answered += try SettingsFile(path: "m", text: text).entries.count
            } catch {
                #expect(!error.fact.isEmpty && !error.advice.isEmpty)
            }
            if depth > 0 { for character in alphabet { extend(text + [character], depth - 1) } }
        }
        extend("a=", 3)
        #expect(answered > 0)
    }
}
