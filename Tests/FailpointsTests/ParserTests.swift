// The grammar: golden strings both ways, mistakes by place and advice, and any program that can be
// made reads back as itself.
import Base
import Failpoints
import RegexBuilder
import Testing

@Suite struct ParserTests {
    private func actions(_ text: String, at point: Failpoint = .logSync) throws -> [String] {
        try FailpointProgram(text, for: point).steps.map(\.action.description)
    }

    @Test(arguments: [
        ("off", "off"),
        ("panic", "panic"),
        ("panic(here it ends)", "panic(here it ends)"),
        ("print", "print"),
        ("print(a;b->c)", "print(a;b->c)"),
        ("pause", "pause"),
        ("yield", "yield"),
        ("sleep(0)", "sleep(0)"),
        ("delay(60000)", "delay(60000)"),
        ("return", "return(io_error)"),
        ("return(corrupt)", "return(corrupt)"),
        ("20%3*sleep(10)->panic", "20%3*sleep(10)->panic"),
        (" 5%print -> 2*off->\tyield ", "5%print->2*off->yield"),
        ("0.0001%off", "0.0001%off"),
        ("12.50%off", "12.5%off"),
        ("100%off", "off"),
        ("100.0%1*off", "1*off"),
        ("18446744073709551615*off", "18446744073709551615*off"),
    ])
    func isReadAndWritten(text: String, expected: String) throws {
        #expect(try FailpointProgram(text, for: .logSync).description == expected)
    }

    @Test(arguments: [
        ("", 0, "", "an action is one of off, return, sleep, panic, print, pause, yield, delay"),
        ("slep(1)", 0, "slep(1)", "did you mean sleep?"),
        ("off->", 5, "", "an action is one of"),
        ("off off", 4, "off", "after an action comes -> or the end"),
        ("sleep", 5, "", "sleep takes milliseconds from 0 to 60000, as in sleep(100)"),
        ("sleep(1", 5, "(1", "its ) is missing"),
        ("sleep(60001)", 5, "(60001)", "sleep takes milliseconds"),
        ("delay(-1)", 5, "(-1)", "delay takes milliseconds"),
        ("pause(1)", 5, "(1)", "pause takes nothing in parentheses"),
        ("return(closed)", 6, "(closed)", "log.sync can return: io_error, corrupt, disk_full"),
        ("0*off", 0, "0*off", "a count is a whole number from 1 on"),
        ("1.5*off", 0, "1.5*off", "a count is a whole number from 1 on"),
        ("18446744073709551616*off", 0, "18446744073709551616*off", "a count is a whole number"),
        ("0%off", 0, "0%off", "a chance is a number above 0 and at most 100"),
        ("101%off", 0, "101%off", "a chance is a number"),
        ("100.0001%off", 0, "100.0001%off", "a chance is a number"),
        ("1.23456%off", 0, "1.23456%off", "with up to 4 decimals"),
        ("1.%off", 0, "1.%off", "a chance is a number"),
        ("3*5%off", 2, "5%off", "an action is one of"),
    ])
    func aMistakeIsTold(text: String, offset: Int, found: String, advice: String) {
        let mistake = #expect(throws: FailpointMistake.self) {
            try FailpointProgram(text, for: .logSync)
        }
        #expect(mistake?.offset == offset)
        #expect(mistake?.found == found)
        #expect(mistake?.reason.contains(advice) == true, "\(String(describing: mistake))")
    }

    @Test func aLoopIsNotPausedAndNothingReturnsWhereNothingCan() {
        let paused = #expect(throws: FailpointMistake.self) {
            try FailpointProgram("1*pause", for: .gatewayAdmit)
        }
        #expect(paused?.reason.contains("stands on an event loop") == true)
        #expect(paused?.offset == 2)
        let returned = #expect(throws: FailpointMistake.self) {
            try FailpointProgram("return", for: .logTake)
        }
        #expect(
            returned?.description == "at byte 0, \"return\": log.take can return nothing: "
                + "nothing else can happen there")
    }

    @Test func listsAreRead() throws {
        let list = try FailpointSetting.list(" log.sync = return ; ;http.answer=1*return(closed);")
        #expect(list.map(\.point) == [.logSync, .httpAnswer])
        #expect(list.map(\.program.description) == ["return(io_error)", "1*return(closed)"])
        #expect(try FailpointSetting.list("").isEmpty)
    }

    @Test(arguments: [
        ("log.sink=off", 0, "there is no such failpoint; did you mean log.sync?"),
        ("off", 0, "there is no such failpoint; there are accept.connection, "),
        ("log.everything=off", 0, "there are log.queue, log.take, log.cut, log.sync"),
        ("log.sync", 8, "= and actions follow the name, as in log.sync=panic"),
        ("log.sync=off;log.sync=panic", 13, "it is there twice; chain its actions with ->"),
        ("log.sync=off,log.take=off", 12, "after an action comes ->, ; or the end"),
    ])
    func aMistakeInAListIsTold(text: String, offset: Int, advice: String) {
        let mistake = #expect(throws: FailpointMistake.self) { try FailpointSetting.list(text) }
        #expect(mistake?.offset == offset)
        #expect(mistake?.reason.contains(advice) == true, "\(String(describing: mistake))")
    }

    @Test func limitsHold() throws {
        let longest = Array(repeating: "off", count: Limits.failpointSteps)
        _ = try actions(longest.joined(separator: "->"))
        #expect(throws: FailpointMistake.self) {
            try actions((longest + ["off"]).joined(separator: "->"))
        }
        let padding = String(repeating: " ", count: Limits.failpointTextBytes - 3)
        _ = try actions("off" + padding)
        #expect(throws: FailpointMistake.self) { try actions("off " + padding) }
    }

    @Test(arguments: [UInt64(1), .random(in: 2 ... .max)])
    func whatIsWrittenReadsBack(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let point = Failpoint.allCases.randomElement(using: &generator) ?? .logSync
            let program = FailpointProgram(
                (0..<Int.random(in: 1...Limits.failpointSteps, using: &generator)).map { _ in
                    step(at: point, &generator)
                })
            let text = program.description
            #expect(try FailpointProgram(text, for: point) == program, "seed \(seed): \(text)")
            let list = try FailpointSetting.list("\(point.name)=\(text)")
            #expect(list == [FailpointSetting(point: point, program: program)])
        }
    }

    private func step(
        at point: Failpoint, _ generator: inout SeededGenerator
    ) -> FailpointProgram.Step {
        let actions: [FailpointAction] =
            [
                .off, .yield, .panic(nil), .panic(""), .print("a;b -> %*"), .print(nil),
                .sleep(milliseconds: .random(in: 0...60_000, using: &generator)),
                .delay(milliseconds: 7),
            ] + point.faults.map { .return($0) } + (point.ground == .loop ? [] : [.pause])
        let always = FailpointProgram.Step.always
        return FailpointProgram.Step(
            actions.randomElement(using: &generator) ?? .off,
            chance: Bool.random(using: &generator)
                ? always : .random(in: 1...always, using: &generator),
            count: Bool.random(using: &generator) ? nil : .random(in: 1 ... .max, using: &generator)
        )
    }

    /// All that up to four pieces of the grammar can make: read exactly if a pattern written
    /// another way takes it, and else refused with a place that lies within.
    @Test func everythingShortIsReadOrRefused() {
        let pieces = ["->", "off", "sleep", "(1)", "(", "5%", "2*", "%", " "]
        let step = #/ *(?:5%)?(?:2\*)?(?:off|sleep\(1\)) */#
        let chain = Regex {
            step
            ZeroOrMore {
                "->"
                step
            }
        }
        var texts = [""]
        var wrong: [String] = []
        var readCount = 0
        for _ in 0..<4 {
            texts = texts.flatMap { text in pieces.map { text + $0 } }
            for text in texts {
                let isRight = text.wholeMatch(of: chain) != nil
                do throws(FailpointMistake) {
                    let program = try FailpointProgram(text, for: .logSync)
                    let again = try FailpointProgram(program.description, for: .logSync)
                    readCount += 1
                    if !isRight || again != program { wrong.append(text) }
                } catch {
                    let isWithin = (0...text.utf8.count).contains(error.offset)
                    if isRight || !isWithin || error.reason.isEmpty { wrong.append(text) }
                }
            }
        }
        #expect(wrong.isEmpty)
        #expect(readCount > 20)
    }

    /// Any bytes give a program or a mistake that lies within them.
    @Test(arguments: [UInt64(1), .random(in: 2 ... .max)])
    func anythingIsReadOrRefused(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "log.sync", "http.answer", "=", ";", "->", "off", "return", "sleep", "(", ")", "%", "*",
            "1", "0", ".", "9999999999999999999999", " ", "é", "\u{0}", "pause", "io_error",
        ]
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }.joined()
            do throws(FailpointMistake) {
                _ = try FailpointSetting.list(text)
            } catch {
                let isWithin = (0...text.utf8.count).contains(error.offset)
                if !isWithin || error.reason.isEmpty { Issue.record("seed \(seed): \(text)") }
            }
        }
    }
}
