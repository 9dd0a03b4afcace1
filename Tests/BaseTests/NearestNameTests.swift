// "Did you mean …?": slips are recognised, other words are not.
import Base
import Testing

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("serv", "serve"), ("sevre", "serve"), ("x", nil), ("", nil), ("bnech", "bench"),
        ("GET", "get"), ("versionn", "version"), ("destroy", nil), ("vers", "version"),
        ("ve", nil), ("cert", "tls_cert"), ("se", nil),
    ])
    func nearest(name: String, expected: String?) {
        let candidates = ["serve", "status", "version", "bench", "get", "put", "tls_cert"]
        #expect(NearestName.find(name, among: candidates) == expected)
    }

    @Test func whatSeveralNamesExtendIsAmbiguous() {
        #expect(NearestName.find("tls", among: ["tls_cert", "tls_key"]) == nil)
    }
}
