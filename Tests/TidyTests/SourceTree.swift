// The repository as the rules see it: every text file that a person wrote, with its path from the
// top.
import Foundation

enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Paths from the top, sorted; without what is built, fetched or stored.
    static let paths: [String] = {
        var found: [String] = []
        func visit(_ folder: String) throws {
            let here = folder.isEmpty ? root : root.appending(path: folder)
            let names = try FileManager.default.contentsOfDirectory(atPath: here.path)
            for name in names.sorted() {
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                let hidden =
                    name.hasPrefix(".") && ![".ci", ".gitignore", ".swift-format"].contains(name)
                if hidden || ["martlet-data", "__pycache__", "Package.resolved"].contains(name) {
                    continue
                }
                var isFolder: ObjCBool = false
                let full = root.appending(path: path).path
                guard FileManager.default.fileExists(atPath: full, isDirectory: &isFolder) else {
                    continue
                }
                if isFolder.boolValue { try visit(path) } else { found.append(path) }
            }
        }
        do { try visit("") } catch { fatalError("cannot list the repository: \(error)") }
        return found
    }()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static let swift: [SourceText] = sources { $0.hasSuffix(".swift") }

    static let written: [SourceText] = sources { path in
        let endings = [".swift", ".h", ".c", ".cpp", ".py", ".sh", ".modulemap"]
        return endings.contains { path.hasSuffix($0) } || path.hasPrefix(".ci/")
            || path == "Makefile"
    }

    private static func sources(where wanted: (String) -> Bool) -> [SourceText] {
        paths.filter(wanted).map { path in
            do { return SourceText(path: path, try text(path)) } catch {
                fatalError("cannot read \(path): \(error)")
            }
        }
    }
}
