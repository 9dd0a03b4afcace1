// JSON rearranged as YAML: every form that a value can have, and what is no JSON.
import Terminal
import Testing

@Suite struct YAMLTextTests {
    @Test(arguments: [
        (#"{}"#, "{}\n"), (#"[]"#, "[]\n"), (#" 12.5e3 "#, "12.5e3\n"),
        (#""a\"b""#, "\"a\\\"b\"\n"),
        (#"{"a":1,"b_c":"no","d":null}"#, "a: 1\nb_c: \"no\"\nd: null\n"),
        (#"{"no":1,"A":2,"x y":true,"":3}"#, "\"no\": 1\n\"A\": 2\n\"x y\": true\n\"\": 3\n"),
        (#"{"value_base64":1,"1":2,"_":3}"#, "value_base64: 1\n\"1\": 2\n\"_\": 3\n"),
        (#"{"a":{"b":{"c":1},"d":2},"e":[]}"#, "a:\n  b:\n    c: 1\n  d: 2\ne: []\n"),
        (
            #"{"a":[1,{"b":2,"c":[3,4]},[5,[6]],{}]}"#,
            "a:\n  - 1\n  - b: 2\n    c:\n      - 3\n      - 4\n  - - 5\n    - - 6\n  - {}\n"
        ),
        ("{ \"a\" : [ 1 ,\n 2 ] }\n", "a:\n  - 1\n  - 2\n"),
        (#"{"a":"ä\\","b":"\\\""}"#, "a: \"ä\\\\\"\nb: \"\\\\\\\"\"\n"),
    ])
    func rearranged(json: String, yaml: String) {
        #expect(YAMLText.text(ofJSON: Array(json.utf8)) == yaml)
    }

    @Test(arguments: [
        "", " ", "{", "[1", "{\"a\"}", "{\"a\":}", "{\"a\":1", "[1,]", "\"a", "\"a\\", "1 2",
        "{1:2}",
        "}", "[1}", String(repeating: "[", count: 100_000),
    ])
    func whatIsNoDocumentIsNil(text: String) {
        #expect(YAMLText.text(ofJSON: Array(text.utf8)) == nil)
    }

    // Every prefix of a document that is cut off somewhere is none, and reads nothing past its end.
    @Test func noPrefixIsADocument() {
        let document = Array(#"{"a":[1,"x\"y",{"b":null}],"c":"\\"}"#.utf8)
        #expect(YAMLText.text(ofJSON: document) != nil)
        for count in 0..<document.count {
            #expect(YAMLText.text(ofJSON: Array(document.prefix(count))) == nil, "\(count)")
        }
    }
}
