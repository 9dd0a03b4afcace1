// Client commands against nobody, and against somebody else.
import Foundation
import ProcessSupport
import Testing

@Suite struct UnreachableTests {
    private static let commands = [
        ["get", "k"], ["put", "k", "v"], ["delete", "k"], ["scan"],
        ["delete", "--prefix", "x", "--yes"],
    ]

    @Test(arguments: commands)
    func aRefusedConnectionNamesTheAddress(command: [String]) throws {
        let port = try LocalSocket.freePort()
        let outcome = try Program(arguments: command + ["--url", "http://127.0.0.1:\(port)"]).run()
        #expect(outcome.status == 69)
        #expect(
            outcome.messages == "error[unreachable]: connection refused 127.0.0.1:\(port)\n"
                + "     try: martlet serve\n")
        #expect(outcome.output.isEmpty)
    }

    @Test(arguments: commands + [["status"], ["healthcheck"]])
    func aRefusedConnectionIsAnObjectWithJSON(command: [String]) throws {
        let url = "http://127.0.0.1:\(try LocalSocket.freePort())"
        let program = Program(arguments: command + ["--json"]).with("MARTLET_URL", url)
        let outcome = try program.run()
        #expect(outcome.status == (command == ["healthcheck"] ? 1 : 69))
        #expect(outcome.messages.isEmpty)
        let object = try #require(
            JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
        #expect(object["code"] as? String == "unreachable")
        #expect((object["detail"] as? String)?.hasPrefix("connection refused 127.0.0.1:") == true)
        #expect(object["try"] as? String == "martlet serve")
    }

    // Of many connections that are being made at once, none is left behind when one fails.
    @Test func aLoadOnNobodySaysSoAndNothingElse() throws {
        let url = "http://127.0.0.1:\(try LocalSocket.freePort())"
        let outcome = try Program("bench", url, "--connections", "200").run()
        #expect(outcome.status == 69)
        let lines = outcome.messages.split(separator: "\n")
        #expect(lines.count == 3, "\(outcome.messages)")
        #expect(lines.dropFirst().first?.hasPrefix("error[unreachable]: ") == true)
    }

    @Test func theTimeoutCountsTheReadingOfTheInput() throws {
        // A pipe that this shell holds open, and writes nothing into.
        var program = Program(
            "-c", "exec 3<> <(:); \"$0\" put k --timeout 200ms <&3", Program.binary.path)
        program.executable = URL(filePath: "/bin/bash")
        let outcome = try program.run(within: .seconds(10))
        #expect(outcome.status == 75)
        #expect(outcome.messages.contains("error[timeout]: standard input did not end in time"))
    }

    // A backlog that nobody accepts from: connected, and then silence.
    @Test(arguments: [
        (["get", "k"], Int32(75), "error[timeout]"),
        (["put", "k", "v"], 76, "error[outcome_unknown]"),
    ])
    func silenceEndsWithTheTimeout(command: [String], status: Int32, message: String) throws {
        let socket = try LocalSocket()
        let outcome = try Program(
            arguments: command + ["--url", "http://127.0.0.1:\(socket.port)", "--timeout", "200ms"]
        ).run()
        #expect(outcome.status == status)
        #expect(outcome.messages.contains(message))
        #expect(outcome.took >= .milliseconds(200))
    }

    @Test func anotherServerIsTold() throws {
        let socket = try LocalSocket()
        socket.answer(
            with: "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 3\r\n\r\nno\n")
        let outcome = try Program("get", "k", "--url", "http://127.0.0.1:\(socket.port)").run()
        #expect(outcome.status == 69)
        #expect(
            outcome.messages.contains(
                "http://127.0.0.1:\(socket.port) answered, but it is not Martlet "
                    + "(Server: nginx, status 404)"))
    }

    @Test(arguments: [
        (404, "key_not_found", Int32(1)), (412, "precondition_failed", 1),
        (421, "host_forbidden", 77),
        (429, "overloaded", 75), (507, "disk_full", 74), (504, "outcome_unknown", 76),
        (504, "deadline_exceeded", 75), (413, "value_too_large", 65), (500, "internal", 70),
        (400, "invalid_argument", 65),
    ])
    func problemsBecomeExitStatuses(status: Int, code: String, exit: Int32) throws {
        let body = #"{"type":"t","title":"T","status":\#(status),"code":"\#(code)","detail":"why"}"#
        let response =
            "HTTP/1.1 \(status) X\r\nContent-Type: application/problem+json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        for isJSON in [false, true] {
            let socket = try LocalSocket()
            socket.answer(with: response)
            let outcome = try Program(
                arguments: ["get", "k", "--url", "http://127.0.0.1:\(socket.port)"]
                    + (isJSON ? ["--json"] : [])
            ).run()
            #expect(outcome.status == exit)
            guard !isJSON else {
                #expect(outcome.messages.isEmpty)
                #expect(outcome.text.hasPrefix(body.dropLast() + ",\"try\":\""))
                let object = try #require(
                    JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
                #expect(object["exit"] as? Int32 == exit)
                continue
            }
            #expect(outcome.text.isEmpty)
            #expect(outcome.messages.hasPrefix("error[\(code)]: why\n     try: "))
            #expect(outcome.messages.split(separator: "\n").count == 2)
        }
    }

    @Test func aHealthCheckKnowsOnlyYesAndNo() throws {
        let port = try LocalSocket.freePort()
        #expect(try Program("healthcheck", "http://127.0.0.1:\(port)").run().status == 1)
        let socket = try LocalSocket()
        socket.answer(with: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        #expect(try Program("healthcheck", "http://127.0.0.1:\(socket.port)").run().status == 0)
    }
}
