// The names are the contract of scripts, and the docs list every one of them.
import Failpoints
import Foundation
import Testing

@Suite struct NamesTests {
    private static let table = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "docker/failpoints.md")

    @Test func namesAreWellFormedAndUnique() {
        let names = Failpoint.allCases.map(\.name)
        #expect(Set(names).count == names.count)
        for name in names { #expect(name.wholeMatch(of: /[a-z]+\.[a-z]+/) != nil, "\(name)") }
        for point in Failpoint.allCases { #expect(!point.place.isEmpty, "\(point)") }
        #expect(names.count >= 40)
    }

    /// Rows of the form | `name` | where it stands | what waits | `fault` `fault` |.
    @Test func theDocsListThemAll() throws {
        let text = try String(contentsOf: Self.table, encoding: .utf8)
        let section = text.components(separatedBy: "\n## The points\n").last ?? ""
        let rows = section.split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
        let expected = Failpoint.allCases.map { point in
            let faults = point.faults.map { "`\($0.rawValue)`" }.joined(separator: " ")
            return "| `\(point.name)` | \(point.place) | \(point.ground.rawValue) | \(faults) |"
        }
        #expect(rows == expected)
    }
}
