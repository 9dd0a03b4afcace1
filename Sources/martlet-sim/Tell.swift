/// `martlet-sim tell FILE`: a story anew, for whoever writes one or wants to see what a known bug
/// makes of it.
import ArgumentParser
internal import Glibc
import Simulation

struct Tell: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play the chapters of a story; exit 1 if one of them violates a property.")

    @Option(help: "A known bug that is switched on, by its name in `mutants`.") var bug: String?
    @Argument(help: "A file of chapters, as in Tests/SimulationTests/Scenarios.") var file: String

    func run() throws {
        let known = try bug.map(KnownBug.named)
        var found = false
        for chapter in Story.chapters(of: try TextFile.read(file)) {
            let played = Story.play(chapter, bug: known) { checker in
                guard bug != nil else { return }
                print("FOUND \(checker.rawValue)")
                flushStandardOutput()
            }
            print(played.text + "\n")
            found = found || !played.checkers.isEmpty
        }
        if found { throw ExitCode(1) }
    }
}

enum TextFile {
    static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else {
            throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let next = getc(file), next != EOF { bytes.append(UInt8(next)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
