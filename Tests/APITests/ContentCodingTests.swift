// Which coding a client takes and a body has: every rule of the fields, by table.
import API
import Base
import Testing

@Suite struct ContentCodingTests {
    private static func headers(_ name: HeaderName, _ values: [String]) -> RequestHeaders {
        var headers = RequestHeaders()
        for value in values { headers.append(name, Bytes(value.utf8)) }
        return headers
    }

    static let takes: [[String]] = [
        ["gzip"], ["GZip"], ["x-gzip"], ["deflate, gzip, br"], ["br", "gzip"], [" gzip\t;\tq=1 "],
        ["gzip;q=0.001"], ["gzip;Q=0.5"], ["gzip;q=1."], ["gzip;q=1.000"], ["gzip;q=0.5,"], ["*"],
        ["br;q=1, *;q=0.1"], ["gzip, identity;q=0"], ["gzip;q=0.5, identity;q=0.5"],
        ["gzip;q=0, gzip"], ["gzip, *;q=0"], ["identity;q=0, *"], ["x-gzip, gzip;q=0"],
    ]

    static let refuses: [[String]] = [
        [], [""], [","], ["identity"], ["br"], ["deflate"], ["gzip;q=0"], ["gzip;q=0.000"],
        ["gzip;q=0, *"], ["*;q=0"], ["*, gzip;q=0"], ["identity, gzip;q=0.5"],
        ["identity;q=0"], ["gzipped"], ["gzi"], ["gzip2"], ["gz\u{29}p"],
        // Weights that are none.
        ["gzip;q=2"], ["gzip;q=1.001"], ["gzip;q=0.0001"], ["gzip;q="], ["gzip;q=.5"],
        ["gzip;q=-1"], ["gzip;q=x"], ["gzip;"], ["gzip;level=1"], ["gzip;q=1;level=1"],
        ["gzip;q=1;q=1"], ["gzip;;"],
        ["gzip;q=0,5"], ["gzip;q=0:5"],
    ]

    @Test func weightsAreHonoured() {
        for values in Self.takes {
            #expect(AcceptEncoding.takesGzip(Self.headers(.acceptEncoding, values)), "\(values)")
        }
        for values in Self.refuses {
            #expect(!AcceptEncoding.takesGzip(Self.headers(.acceptEncoding, values)), "\(values)")
        }
    }

    @Test func bodiesHaveOneCodingThatIsKnown() {
        let table: [([String], ContentCoding)] = [
            ([], .identity), ([""], .identity), (["Identity"], .identity), (["gzip"], .gzip),
            (["X-GZIP"], .gzip), (["identity, gzip"], .gzip), (["gzip", "identity"], .gzip),
            (["gzip, gzip"], .other), (["gzip", "gzip"], .other), (["br, gzip"], .other),
            (["gzip", "br"], .other), (["deflate"], .other), (["gzip;q=1"], .other),
        ]
        for (values, coding) in table {
            #expect(
                ContentCoding.of(Self.headers(.contentEncoding, values)) == coding, "\(values)")
        }
    }

    @Test func jsonBodiesMayBeCodedAndValuesNot() {
        let table: [(Method, String, Bool)] = [
            (.post, "/v1/raw/batch", true), (.post, "/v1/raw/cas?pretty=true", true),
            (.put, "/v1/raw/entry", true), (.put, "/v1/raw/entry?pretty=true", true),
            (.put, "/v1/raw/kv/entry", false), (.put, "/v1/raw/kv//v1/raw/entry", false),
            (.put, "/v1/raw/entries", false), (.get, "/v1/raw/entry", false),
            (.delete, "/v1/raw/entry", false), (.other, "/v1/raw/batch", false),
        ]
        for (method, target, isUndone) in table {
            for coding in ["gzip", "br", "gzip, gzip", "identity"] {
                let headers = Self.headers(.contentEncoding, [coding])
                #expect(
                    ContentCoding.isUndone(method, Bytes(target.utf8), headers)
                        == (isUndone && coding == "gzip"), "\(method) \(target) \(coding)")
            }
        }
    }

    @Test func onlyTextOfSomeSizeIsCoded() {
        let (least, most) = (Limits.gzipBytes.lowerBound, Limits.gzipBytes.upperBound)
        let coded: [ContentType] = [
            .json, .problem, .yaml, .ndjson, .prometheus, .openMetrics,
        ]
        for type in ContentType.allCases {
            let sizes = [(least - 1, false), (least, true), (most, true), (most + 1, false)]
            for (count, fits) in sizes {
                let body = Bytes(repeating: 0x61, count: count)
                var answer = Response(status: 200, contentType: type, body: body)
                #expect(answer.mayBeCoded == (fits && coded.contains(type)), "\(type) \(count)")
                // RFC 9110 §8.8.3.3: a coded form would need a strong tag of its own.
                answer.entityTag = Fingerprint(of: [])
                #expect(!answer.mayBeCoded)
            }
        }
        #expect(!Response(status: 304, contentType: nil).mayBeCoded)
    }

    @Test func varyIsOneField() {
        var answer = Response(status: 200, contentType: .json)
        answer.vary(on: .acceptEncoding)
        #expect(answer[.vary] == Bytes("accept-encoding".utf8))
        answer = Response(status: 200, contentType: .json)
        answer.set(.vary, "accept")
        answer.vary(on: .acceptEncoding)
        #expect(answer[.vary] == Bytes("accept, accept-encoding".utf8))
        #expect(answer.fields.filter { $0.name == .vary }.count == 1)
    }
}
