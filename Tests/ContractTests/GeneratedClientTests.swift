// Every operation by a client that nobody here wrote, with the keys that clients damage.
import Foundation
import ProcessSupport
import Testing

@Suite struct GeneratedClientTests {
    @Test(arguments: ["go", "java", "swift6", "typescript-fetch"])
    func theSettingsForOtherLanguagesAreTaken(language: String) throws {
        let said = try Tool.succeed(
            Tool.python(
                tool: "openapi-generator-cli", "generate", "--config", "codegen/\(language).yaml",
                "--input-spec", "openapi.yaml", "--output", "/nowhere", "--dry-run"),
            within: .seconds(120))
        #expect(said.contains("Generating with dryRun=true"), "\(said)")
        #expect(!said.contains("ERROR"), "\(said)")
    }

    @Test func everyOperationWithHostileKeys() throws {
        try RecordedNode.run(everyOperation: true, "--enable-failpoints") { node in
            let client = node.folder.appending(path: "client").path
            try Tool.succeed(
                Tool.python(
                    tool: "openapi-generator-cli", "generate", "--config", "codegen/python.yaml",
                    "--input-spec", "openapi.yaml", "--output", client, "--global-property",
                    "apis,models,supportingFiles,apiTests=false,modelTests=false,"
                        + "apiDocs=false,modelDocs=false"),
                within: .seconds(120))
            let said = try Tool.succeed(
                Tool.python("client.py", client, node.url), within: .seconds(120))
            #expect(said.hasSuffix("service\n"), "\(said)")
        }
    }
}
