// Calls and words that do not belong: in all of the code, or in the targets that only decide.

enum Words {
    static let rules: [Rule] = [
        noClockNoChanceNoWaiting, noFoundation, noFloatingPoint, noUnorderedHash, noUnfinishedWork,
        noSwallowedErrors, noForcedTry, unsafeIsExplained, packageAccessOnly, noPrinting,
        noMachinePaths,
    ]

    /// Targets in which everything is a value and a function of its arguments.
    static let pure: Set<String> = [
        "Base", "Telemetry", "Storage", "Failpoints", "Raft", "Transactions", "Regions",
        "Placement", "Coordination", "API", "Node", "Peers", "Simulation",
    ]
    /// Where a float could decide something that two nodes must decide alike.
    static let deciding: Set<String> = [
        "Base", "Storage", "Raft", "Transactions", "Regions", "Placement", "Coordination", "Node",
        "Peers",
    ]

    static let noClockNoChanceNoWaiting = Rule(
        name: "what decides reads no clock, draws no chance, waits for nothing"
    ) { file in
        guard file.isPure else { return [] }
        let pattern =
            #/
            \b(?:Date|UUID)\( | \b(?:ContinuousClock|SuspendingClock|DispatchTime)\b
            | \bSystemRandomNumberGenerator\b | \bProcessInfo\b | \bTask\b | \bThread\b
            | \b(?:async|await|actor)\b | \b(?:Mutex|Atomic|NSLock|pthread_\w+)\b
            | \.randomElement\(\) | \.shuffled?\(\)
            /#
        let words = [
            "Date(", "UUID(", "Clock", "Dispatch", "SystemRandom", "ProcessInfo", "Task", "Thread",
            "async", "await", "actor", "Mutex", "Atomic", "NSLock", "pthread_", ".randomElement",
            ".shuffle",
        ]
        let random = file.matches(/\.random\(/, in: file.code, with: [".random("])
        let chance = random.filter { line in
            // `using:` may stand on a following line of the same call.
            !file.code[(line - 1)...].prefix(4).joined().contains(/\.random\([^)]*using:/)
        }
        let found = file.matches(pattern, in: file.code, with: words)
        return (found + chance).map { ($0, file.lines[$0 - 1]) }
    }

    static let noFoundation = Rule(name: "what decides imports no Foundation") { file in
        guard file.isPure else { return [] }
        let systems = /import (?:\w+ )?(?:Foundation\w*|Dispatch|Synchronization|NIO\w*|Logging)\b/
        var found = file.matches(systems, in: file.code, with: ["import"])
        // memcmp, and what that file says about it.
        if file.path != "Sources/Base/CompareBytes.swift" {
            found += file.matches(
                /import (?:\w+ )?(?:Glibc|Darwin|Musl)\b/, in: file.code, with: ["import"])
        }
        return found.map { ($0, file.lines[$0 - 1]) }
    }

    static let noFloatingPoint = Rule(name: "no floating point in decisions") { file in
        guard file.isSource, let target = file.target, deciding.contains(target) else { return [] }
        let pattern = /\b(?:Double|Float|Float32|Float64|CGFloat)\b/
        return file.matches(pattern, in: file.code, with: ["Double", "Float"]).map {
            ($0, file.lines[$0 - 1])
        }
    }

    static let noUnorderedHash = Rule(name: "no hash that differs from run to run") { file in
        guard file.isPure else { return [] }
        let pattern = /\.hashValue\b|\bHasher\(\)/
        return file.matches(pattern, in: file.code, with: ["hashValue", "Hasher"]).map {
            ($0, file.lines[$0 - 1])
        }
    }

    static let noUnfinishedWork = Rule(name: "no unfinished work") { file in
        let pattern =
            #/
            \b(?:TODO|FIXME|XXX|HACK|WIP)\b
            | \b(?i:stub(?:bed|s)?|for\ now|not\ yet\ implemented|unimplemented|placeholder)\b
            /#
        let words = [
            "TODO", "FIXME", "XXX", "HACK", "WIP", "tub", "TUB", "or now", "ot yet implemented",
            "nimplemented", "laceholder",
        ]
        return file.matches(pattern, in: file.lines, with: words).map {
            ($0, file.lines[$0 - 1])
        }
    }

    static let noSwallowedErrors = Rule(name: "no error is dropped without a reason") { file in
        guard file.isSource else { return [] }
        let dropped = file.code.indices.filter {
            file.code[$0].contains(/\btry\?/) && !file.isExplained(at: $0)
        }
        let empty = file.code.indices.filter { index in
            guard file.code[index].contains("catch") else { return false }
            let next = file.code[index...].prefix(4).joined(separator: " ")
            return next.contains(/\bcatch\b[^{}]*\{\s*\}/)
        }
        return dropped.map { ($0 + 1, "try? drops an error and no comment says why it may") }
            + empty.map { ($0 + 1, "an empty catch") }
    }

    static let noForcedTry = Rule(name: "no try! outside tests") { file in
        guard file.isSource else { return [] }
        return file.matches(/\btry!/, in: file.code, with: ["try!"]).map {
            ($0, file.lines[$0 - 1])
        }
    }

    static let unsafeIsExplained = Rule(name: "unchecked sharing says why it is safe") { file in
        guard file.isSource else { return [] }
        let pattern = /@unchecked Sendable|nonisolated\(unsafe\)/
        return file.matches(pattern, in: file.code, with: ["unchecked", "unsafe"])
            .filter { !file.isExplained(at: $0 - 1) }
            .map { ($0, file.lines[$0 - 1]) }
    }

    static let packageAccessOnly = Rule(name: "package access, no public, no @testable") { file in
        guard file.path.hasSuffix(".swift") else { return [] }
        let declaration =
            #/
            \b(?:public|open)\ +(?:\w+\ +)*
            (?:func|struct|class|enum|let|var|init|protocol|import|extension|typealias)\b
            | @testable
            /#
        return file.matches(declaration, in: file.code, with: ["public", "open", "@test"])
            .map { ($0, file.lines[$0 - 1]) }
    }

    static let noPrinting = Rule(name: "only the command line prints") { file in
        guard file.isSource, let target = file.target, !target.hasPrefix("martlet") else {
            return []
        }
        // The case of an enum may be called so.
        let pattern = /^(?! *case \w+\()(?:.*[^.\w])?(?:print|debugPrint|dump|puts|printf)\(/
        return file.matches(pattern, in: file.code, with: ["rint(", "dump(", "puts(", "printf("])
            .map { ($0, file.lines[$0 - 1]) }
    }

    static let noMachinePaths = Rule(name: "no path of one machine") { file in
        let homes = /(?:^|[^\w])\/(?:work|root|opt\/swift|home\/(?!ann\b))\b|\.pyenv/
        return file.matches(
            homes, in: file.lines, with: ["/work", "/root", "/opt", "/home", ".pyenv"]
        ).map { ($0, file.lines[$0 - 1]) }
    }
}

extension SourceText {
    var isPure: Bool { isSource && target.map(Words.pure.contains) == true }
}
