// The rules that the list of metrics itself keeps, and Prometheus' own linter over all of it.
import Base
import Foundation
import Telemetry
import Testing

@Suite struct CatalogueTests {
    @Test func namesAreUniqueAndFollowTheNamingRules() {
        var seen: Set<Substring> = []
        for metric in Metric.all {
            #expect(seen.insert(metric.familyName).inserted, "\(metric.name) is listed twice")
            #expect(metric.name.hasPrefix("martlet_") || metric.name.hasPrefix("process_"))
            #expect((metric.kind == .counter) == metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect((metric.kind == .info) == metric.name.hasSuffix("_info"), "\(metric.name)")
            if metric.unit != .none {
                #expect(metric.familyName.hasSuffix("_\(metric.unit.rawValue)"), "\(metric.name)")
            }
            #expect(metric.help.hasSuffix("."), "\(metric.name)")
            for name in [metric.name] + metric.labels {
                let characters = name.allSatisfy { $0 == "_" || $0.isASCII && $0.isLowercase }
                #expect(characters, "\(name) in \(metric.name)")
            }
            #expect(!metric.labels.contains("le") && !metric.labels.contains("quantile"))
        }
    }

    @Test func promtoolFindsNothingToSay() throws {
        var scrape = Scrape()
        for metric in Metric.all {
            let labels = metric.labels.map { "some \($0) {}\\\"\n" }
            if case .histogram(let kind) = metric.kind {
                var histogram = Histogram(kind)
                histogram.observe(kind.bounds[3])
                scrape.add(metric, histogram, labels)
            } else {
                scrape.add(metric, 1, labels)
            }
        }
        let promtool = Process()
        promtool.executableURL = URL(filePath: "/usr/bin/env")
        promtool.arguments = ["promtool", "check", "metrics"]
        let input = Pipe()
        let output = Pipe()
        promtool.standardInput = input
        promtool.standardOutput = output
        promtool.standardError = output
        try promtool.run()
        try input.fileHandleForWriting.write(contentsOf: Data(scrape.exposition(.prometheus)))
        try input.fileHandleForWriting.close()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        promtool.waitUntilExit()
        #expect(promtool.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
    }
}
