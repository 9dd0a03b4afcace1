// Golden text of both formats, escaping, order and merging.
import Base
import Telemetry
import Testing

@Suite struct ExpositionTests {
    static let requests = Metric(
        "t_requests_total", .counter, labels: ["route", "code"], help: "Answers.")
    static let cpu = Metric("t_cpu_seconds_total", .counter, unit: .seconds, help: "CPU time.")
    static let build = Metric("t_build_info", .info, labels: ["version"], help: "What runs.")
    static let open = Metric("t_open", .gauge, help: "Open now.")
    static let sync = Metric(
        "t_sync_seconds", .histogram(.syncDuration), unit: .seconds, labels: ["disk"],
        help: "Syncs.")
    static let batch = Metric("t_batch", .histogram(.count), help: "Batches.")

    static let sample: Scrape = {
        var scrape = Scrape()
        var batches = Histogram(.count)
        for value: UInt64 in [1, 3, 5000] { batches.observe(value) }
        scrape.add(batch, batches)
        scrape.add(requests, 2, ["/kv/{key}", "404"])
        scrape.add(requests, 40, ["/kv/{key}", "200"])
        scrape.add(build, 1, ["0.1.0"])
        scrape.add(cpu, real: 0.25)
        scrape.add(open, 3)
        return scrape
    }()

    static let golden = """
        # HELP t_batch Batches.
        # TYPE t_batch histogram
        t_batch_bucket{le="1.0"} 1
        t_batch_bucket{le="4.0"} 2
        t_batch_bucket{le="16.0"} 2
        t_batch_bucket{le="64.0"} 2
        t_batch_bucket{le="256.0"} 2
        t_batch_bucket{le="1024.0"} 2
        t_batch_bucket{le="4096.0"} 2
        t_batch_bucket{le="+Inf"} 3
        t_batch_sum 5004.0
        t_batch_count 3
        # HELP t_build_info What runs.
        # TYPE t_build_info gauge
        t_build_info{version="0.1.0"} 1
        # HELP t_cpu_seconds_total CPU time.
        # TYPE t_cpu_seconds_total counter
        t_cpu_seconds_total 0.25
        # HELP t_open Open now.
        # TYPE t_open gauge
        t_open 3
        # HELP t_requests_total Answers.
        # TYPE t_requests_total counter
        t_requests_total{route="/kv/{key}",code="200"} 40
        t_requests_total{route="/kv/{key}",code="404"} 2

        """

    /// The lines in which OpenMetrics differs, by what Prometheus' text has in their place.
    static let openMetricsLines = [
        "# HELP t_build_info What runs.": "# HELP t_build What runs.",
        "# TYPE t_build_info gauge": "# TYPE t_build info",
        "# HELP t_cpu_seconds_total CPU time.": "# HELP t_cpu_seconds CPU time.",
        "# TYPE t_cpu_seconds_total counter":
            "# TYPE t_cpu_seconds counter\n# UNIT t_cpu_seconds seconds",
        "# HELP t_requests_total Answers.": "# HELP t_requests Answers.",
        "# TYPE t_requests_total counter": "# TYPE t_requests counter",
        "": "# EOF\n",
    ]

    @Test func prometheusText() {
        #expect(text(Self.sample, .prometheus) == Self.golden)
    }

    @Test func openMetricsText() {
        let expected = Self.golden.split(separator: "\n", omittingEmptySubsequences: false)
            .map { Self.openMetricsLines[String($0)] ?? String($0) }.joined(separator: "\n")
        #expect(text(Self.sample, .openMetrics) == expected)
    }

    @Test func boundsOfDurationsAreInSeconds() {
        var scrape = Scrape()
        scrape.add(Self.sync, Histogram(.syncDuration), ["a"])
        let bounds = text(scrape, .prometheus).split(separator: "\n").compactMap { line in
            line.split(separator: "le=\"").dropFirst().first?.prefix { $0 != "\"" }
        }
        #expect(
            bounds == [
                "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
                "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "+Inf",
            ])
    }

    @Test func emptyScrapes() {
        #expect(text(Scrape(), .prometheus) == "")
        #expect(text(Scrape(), .openMetrics) == "# EOF\n")
    }

    @Test func labelsAndHelpAreEscaped() {
        let metric = Metric("m", .gauge, labels: ["l"], help: "a\\b \"c\"\nd é")
        var scrape = Scrape()
        scrape.add(metric, 1, ["x\\y \"z\"\nw é"])
        #expect(
            text(scrape, .prometheus) == """
                # HELP m a\\\\b "c"\\nd é
                # TYPE m gauge
                m{l="x\\\\y \\"z\\"\\nw é"} 1

                """)
        #expect(text(scrape, .openMetrics).hasPrefix("# HELP m a\\\\b \\\"c\\\"\\nd é\n"))
    }

    @Test func unusualNumbers() {
        let expected: [(Double, String)] = [
            (0, "0.0"), (-0.0, "-0.0"), (1e-5, "1e-05"), (1.5e300, "1.5e+300"), (1e16, "1e+16"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (-.nan, "NaN"),
            (0.1 + 0.2, "0.30000000000000004"), (.leastNonzeroMagnitude, "5e-324"),
        ]
        for (value, written) in expected {
            var scrape = Scrape()
            scrape.add(Self.open, real: value)
            #expect(text(scrape, .prometheus).split(separator: "\n").last == "t_open \(written)")
        }
    }

    @Test func unitsAddUpInWhateverOrderTheyAnswer() {
        var histogram = Histogram(.syncDuration)
        histogram.observe(100_000)
        var first = Scrape()
        first.add(Self.requests, 1, ["a", "200"])
        first.add(Self.sync, histogram, ["d"])
        first.add(Self.cpu, real: 0.5)
        var second = Scrape()
        second.add(Self.cpu, 2)
        second.add(Self.sync, histogram, ["d"])
        second.add(Self.requests, 2, ["a", "200"])
        second.add(Self.requests, 4, ["a", "100"])
        var one = first
        one.merge(second)
        var other = second
        other.merge(first)
        #expect(text(one, .prometheus) == text(other, .prometheus))
        let lines = text(one, .prometheus).split(separator: "\n")
        #expect(lines.contains("t_requests_total{route=\"a\",code=\"200\"} 3"))
        #expect(lines.contains("t_requests_total{route=\"a\",code=\"100\"} 4"))
        #expect(lines.contains("t_cpu_seconds_total 2.5"))
        #expect(lines.contains("t_sync_seconds_bucket{disk=\"d\",le=\"0.0001\"} 2"))
        #expect(lines.contains("t_sync_seconds_sum{disk=\"d\"} 0.0002"))
    }

    @Test func aWrongNumberOfLabelsIsABug() async {
        await #expect(processExitsWith: .failure) {
            var scrape = Scrape()
            scrape.add(ExpositionTests.requests, 1, ["only one"])
        }
    }

    @Test func aCounterTakesNoHistogram() async {
        await #expect(processExitsWith: .failure) {
            var scrape = Scrape()
            scrape.add(ExpositionTests.open, Histogram(.size))
        }
    }

    func text(_ scrape: Scrape, _ format: ExpositionFormat) -> String {
        String(decoding: scrape.exposition(format), as: UTF8.self)
    }
}
