// What the code has and what openapi.yaml says, held against each other. The copy in JSON is read
// for it, and shown to be the same document.
import API
import Base
import Foundation
import Testing

@Suite struct ContractTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let python = root.appending(path: ".venv/bin/python")
    private let document: [String: Any]

    init() throws {
        let body = Response.openAPI(.json, requestID: []).body
        document = try #require(
            try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    }

    @Test func theServedYAMLIsTheFile() throws {
        let file = try Data(contentsOf: Self.root.appending(path: "openapi.yaml"))
        #expect(Data(Response.openAPI(.yaml, requestID: []).body) == file)
    }

    /// Needs the Python of `make test`, which has a YAML parser.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: Self.python.path)))
    func theCopyInJSONIsTheSameDocument() throws {
        let check = Process()
        check.executableURL = Self.python
        check.arguments = [".ci/openapi-json", "--check"]
        check.currentDirectoryURL = Self.root
        try check.run()
        check.waitUntilExit()
        #expect(check.terminationStatus == 0)
    }

    @Test func versionIsTheOneAtTheRoot() throws {
        let info = try #require(document["info"] as? [String: Any])
        #expect(info["version"] as? String == Response.contractVersion)
    }

    @Test func pathsAndMethodsAreThoseOfTheRouter() throws {
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        #expect(
            Set(paths.keys) == Set(Route.allCases.filter { $0 != .unknown }.map(\.template)))
        for route in Route.allCases where route != .unknown {
            // HEAD goes without saying wherever GET is (RFC 9110 §9.3.2).
            let declared = Set(try #require(paths[route.template]).keys).union(["head"])
            let served = Set(route.methods.map { $0.name.lowercased() }).union(["head"])
            #expect(declared == served, "\(route)")
        }
    }

    /// Each parameter that an operation declares is taken, and no other name is.
    @Test func parametersAreThoseOfTheRouter() throws {
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        let components = try #require(document["components"] as? [String: [String: Any]])
        let methods: [String: Method] = [
            "get": .get, "head": .head, "put": .put, "post": .post, "delete": .delete,
        ]
        for (path, operations) in paths {
            for (name, operation) in operations {
                let declared = (operation["parameters"] as? [[String: Any]] ?? []).compactMap {
                    parameter -> String? in
                    var parameter = parameter
                    if let reference = parameter["$ref"] as? String,
                        let key = reference.split(separator: "/").last,
                        let found = components["parameters"]?[String(key)] as? [String: Any]
                    {
                        parameter = found
                    }
                    return parameter["in"] as? String == "query"
                        ? parameter["name"] as? String : nil
                }
                let target = path.replacing("{key}", with: "k")
                    .replacing("{code}", with: "internal").replacing("{name}", with: "log.sync")
                    .replacing("{store_id}", with: "3")
                for field in FieldName.allCases {
                    let request = Request(
                        method: try #require(methods[name]),
                        target: Bytes("\(target)?\(field.text)=x".utf8))
                    var isKnown = true
                    let routed = Router(hasFailpoints: true).route(request, generatedID: [])
                    if case .failure(let problem) = routed.result {
                        isKnown = problem.code != .unknownParameter
                    }
                    #expect(
                        isKnown == declared.contains(field.text), "\(name) \(path) \(field.text)")
                }
            }
        }
    }

    @Test func fieldNamesAreFoundByTheirText() {
        for name in FieldName.allCases {
            let text = Bytes(name.text.utf8)
            #expect(text.withUnsafeBytes { FieldName($0) } == name)
            let longer = text + [UInt8(ascii: "x")]
            #expect(longer.withUnsafeBytes { FieldName($0) } == nil)
            #expect(Bytes(text.dropLast()).withUnsafeBytes { FieldName($0) }?.text != name.text)
        }
        #expect(Set(FieldName.allCases.map(\.text)).count == FieldName.allCases.count)
    }

    @Test func limitsInTheDocumentAreTheLimits() throws {
        let text = String(decoding: Response.openAPI(.yaml, requestID: []).body, as: UTF8.self)
        #expect(text.contains("0 to \(Limits.valueBytes)"))
        #expect(text.contains("1 to \(Limits.keyBytes)"))
        #expect(text.contains("maxItems: \(Limits.operationsPerBatch)"))
        #expect(text.contains("maximum: \(Limits.entriesPerPage)"))
        #expect(text.contains("maximum: \(Limits.timeToLiveSecondsMax)"))
        #expect(text.contains("\(Limits.entriesPerPageDefault) if left out"))
        #expect(text.contains("at \(Limits.bytesPerPage) bytes"))
        #expect(text.contains("answer of \(Limits.batchAnswerBytes) bytes"))
    }
}
