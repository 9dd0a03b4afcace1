// openapi.yaml by itself, and as the node serves it.
import Foundation
import ProcessSupport
import Testing

@Suite struct DescriptionTests {
    private static let file = Tool.root.appending(path: "openapi.yaml").path

    @Test func validatorsFindNothing() throws {
        try Tool.succeed(
            Tool.python(tool: "openapi-spec-validator", Self.file), within: .seconds(60))
        let said = try Tool.succeed(
            Tool.python(
                tool: "openapi-generator-cli", "validate", "--recommend", "-i", Self.file),
            within: .seconds(120))
        #expect(said.contains("No validation issues detected."), "\(said)")
        #expect(!said.contains("Recommendations"), "\(said)")
    }

    @Test func houseStyle() throws {
        try Tool.succeed(Tool.python("house_style.py", Self.file), within: .seconds(30))
    }

    @Test func whatIsServedIsTheFile() throws {
        try RecordedNode.run { node in
            let served = try Tool.curl("\(node.url)/openapi.yaml")
            let file = try Data(contentsOf: URL(filePath: Self.file))
            #expect(served.output == file)
            let copy = node.folder.appending(path: "openapi.json")
            try Tool.curl("\(node.url)/openapi.json").output.write(to: copy)
            let compare = """
                import json, sys, yaml
                served, file = json.load(open(sys.argv[1])), yaml.safe_load(open(sys.argv[2]))
                sys.exit(served != file)
                """
            var program = try Tool.python(tool: "python")
            program.arguments = ["-c", compare, copy.path, Self.file]
            try Tool.succeed(program, within: .seconds(30))
        }
    }
}
