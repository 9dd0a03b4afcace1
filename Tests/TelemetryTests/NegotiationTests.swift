// Accept fields as real scrapers and people send them, and what each must get.
import Base
import Telemetry
import Testing

@Suite struct NegotiationTests {
    static let prometheus242 = """
        application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
        q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1
        """
    static let prometheus3 = """
        application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
        escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2
        """

    static let text: [[String]] = [
        [], [""], ["*/*"], ["text/html"], ["text/plain"], ["text/*"], ["image/png, ,;q=1"],
        ["text/plain;version=0.0.4;q=0.3,*/*;q=0.2"],
        // Only a draft of OpenMetrics is wanted, which is not what we write.
        ["application/openmetrics-text; version=0.0.1"],
        ["application/openmetrics-text;q=0"], ["application/openmetrics-text;q=0.000, */*;q=0.1"],
        ["application/openmetrics-text;q=0.5, text/plain"],
        ["application/openmetrics-text;q=0.5, text/plain;q=0.501"],
        ["text/plain", "application/openmetrics-text"],
        // A quality that is no quality makes its element count for nothing.
        ["application/openmetrics-text;q=2"], ["application/openmetrics-text;q=1.001"],
        ["application/openmetrics-text;q=0.1234"], ["application/openmetrics-text;q="],
        ["application/openmetrics-text;q=high"], ["application/openmetrics-text;q=-1"],
        // A comma inside quotes separates nothing.
        ["text/x;note=\"a, application/openmetrics-text;q=1 \\\" ,\""],
        ["\u{0}\u{FF},,,;;;=\"\\"],
    ]

    static let openMetrics: [[String]] = [
        [prometheus242], [prometheus3],
        ["application/openmetrics-text"], ["APPLICATION/OpenMetrics-Text ; VERSION=\"1.0.0\""],
        ["application/openmetrics-text;version=1.0.0;escaping=underscores"],
        ["application/*"], ["text/plain;q=0.9, application/openmetrics-text;q=0.95"],
        ["text/plain;q=0.9", "application/openmetrics-text;q=0.95"],
        // The most specific range that matches decides, not the friendliest.
        ["text/plain;q=0, */*"], ["*/*;q=0.1, application/openmetrics-text;q=0.2"],
        ["application/openmetrics-text, text/plain"],
        ["text/plain, application/openmetrics-text;version=1.0.0"],
    ]

    @Test(arguments: text) func getsPlainText(_ accept: [String]) {
        #expect(ExpositionFormat(accept: accept.map { Bytes($0.utf8) }) == .prometheus)
    }

    @Test(arguments: openMetrics) func getsOpenMetrics(_ accept: [String]) {
        #expect(ExpositionFormat(accept: accept.map { Bytes($0.utf8) }) == .openMetrics)
    }

    @Test func anyBytesGiveAnAnswer() {
        var random = SeededGenerator(seed: 11)
        let alphabet = Bytes("text/plain*application/openmetrics-;,q=01.\"\\ \t".utf8)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...40, using: &random)
            let field = (0..<count).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            _ = ExpositionFormat(accept: [field])
        }
    }
}
