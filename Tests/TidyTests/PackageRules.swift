// The house plan: which target stands above which, checked in the manifest itself.

struct Manifest {
    struct Target: Hashable {
        var name: String
        var line: Int
        /// Targets of this package only.
        var dependencies: [String]
        var isTest: Bool
    }

    /// From the top of the house down; a target may depend only on rows below its own.
    static let rows: [[String]] = [
        ["martlet", "martlet-sim"],
        ["Runtime", "Simulation", "LoadGenerator"],
        ["Peers"],
        ["Node", "RocksStorage", "HTTP"],
        ["API", "Injection"],
        ["Coordination"],
        ["Regions", "Placement"],
        ["Transactions", "Raft"],
        ["Storage", "Telemetry", "Settings", "Terminal"],
        ["Failpoints"],
        ["Base"],
        ["CRocksDB", "CNghttp2", "COpenSSL", "CZlib", "CSimdjson", "CMalloc", "CBuild"],
    ]

    let targets: [Target]

    /// Reads the calls that declare targets, each up to its closing parenthesis. Products of
    /// packages are named by functions, constants or `.product(`, and so are no strings of their
    /// own here.
    init(_ text: String) {
        let heads = /(library|tests|\.target|\.executableTarget|\.systemLibrary|\.testTarget)\(/
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let body = lines.firstIndex(where: { $0.contains(/^ *targets: \[/) }) else {
            targets = []
            return
        }
        var found: [Target] = []
        var index = body
        while index < lines.count {
            guard let head = lines[index].firstMatch(of: heads) else {
                index += 1
                continue
            }
            let first = index
            var call = String(lines[index][head.range.lowerBound...])
            while Manifest.depth(call) > 0, index + 1 < lines.count {
                index += 1
                call += "\n" + lines[index]
            }
            index += 1
            let isTest =
                ["tests", ".testTarget"].contains(head.1) || call.contains("path: \"Tests/")
            found.append(Manifest.target(call, line: first + 1, isTest: isTest))
        }
        let known = Set(found.map(\.name))
        targets = found.map { target in
            var target = target
            target.dependencies.removeAll { !known.contains($0) }
            return target
        }
    }

    /// Dependencies that point up or sideways, targets that have no row, and rows out of order.
    func violations() -> [String] {
        var result: [String] = []
        for target in targets where !target.isTest {
            guard let row = Manifest.row(target.name) else {
                result.append("\(target.name) has no row in the house plan")
                continue
            }
            for dependency in target.dependencies {
                guard let below = Manifest.row(dependency) else { continue }
                if below <= row { result.append("\(target.name) depends on \(dependency)") }
            }
        }
        return result
    }

    private static func row(_ name: String) -> Int? {
        rows.firstIndex { $0.contains(name) }
    }

    private static func target(_ call: String, line: Int, isTest: Bool) -> Target {
        let products = /\.product\([^)]*\)|\.apt\([^)]*\)|(?:pkgConfig|path): *"[^"]*"/
        let own = call.replacing(products, with: "")
        var strings = own.matches(of: /"([A-Za-z0-9_-]+)"/).map { String($0.1) }
        let name = strings.isEmpty ? "" : strings.removeFirst()
        return Target(
            name: call.hasPrefix("tests(") ? "\(name)Tests" : name, line: line,
            dependencies: strings, isTest: isTest)
    }

    private static func depth(_ text: String) -> Int {
        text.reduce(0) { $0 + ($1 == "(" ? 1 : $1 == ")" ? -1 : 0) }
    }
}

extension Manifest {
    /// Dependencies that no file of the target imports: an arrow that is drawn and not there.
    func unused(in files: [SourceText]) -> [String] {
        targets.filter { !$0.isTest }.flatMap { target in
            let own = files.filter { $0.isSource && $0.target == target.name }
            let imported = Set(
                own.flatMap { file in
                    file.code.compactMap { line in
                        line.firstMatch(of: /^(?:\w+ )*import (\w+)/).map { String($0.1) }
                    }
                })
            return target.dependencies.filter { !imported.contains($0) }
                .map { "\(target.name) declares \($0) and does not import it" }
        }
    }
}
