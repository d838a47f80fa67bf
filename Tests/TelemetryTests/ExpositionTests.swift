import Testing

@testable import Telemetry

@Suite("The metrics page's format") struct ExpositionTests {
    private func page(_ write: (inout Exposition) -> Void) -> [String] {
        var page = Exposition()
        write(&page)
        let text = String(decoding: page.bytes, as: UTF8.self)
        #expect(text.hasSuffix("\n"))
        return text.split(separator: "\n").map(String.init)
    }

    @Test func aFamilySaysWhatItIsBeforeItsSamples() {
        let lines = page {
            $0.begin(.connections)
            $0.sample(.number(3), ("app_id", "shop"))
        }
        #expect(
            lines == [
                "# HELP starling_connections WebSocket connections that are open",
                "# TYPE starling_connections gauge", "starling_connections{app_id=\"shop\"} 3",
            ])
    }

    @Test func aPrefixStandsInAllThreeLines() {
        let lines = page {
            $0.begin(.soketiConnected, prefix: "mine_")
            $0.sample(.number(1))
        }
        #expect(
            lines.map { $0.split(separator: " ").first { $0.hasPrefix("mine_") } } == [
                "mine_connected", "mine_connected", "mine_connected",
            ])
    }

    @Test(
        "what would end a label's value is escaped",
        arguments: [
            ("a\"b", "a\\\"b"), ("a\\b", "a\\\\b"), ("a\nb", "a\\nb"), ("ü{},=", "ü{},="), ("", ""),
        ]) func escaping(_ value: String, _ written: String)
    {
        let lines = page {
            $0.begin(.connections)
            $0.sample(.count(1), ("app_id", value), ("other", "x"))
        }
        #expect(lines.last == "starling_connections{app_id=\"\(written)\",other=\"x\"} 1")
    }

    @Test(
        "times are seconds, without a rounding",
        arguments: [
            (0, "0"), (1, "0.000000001"), (1_000_000_000, "1"), (1_500_000_000, "1.5"), (65_536, "0.000065536"),
            (UInt64.max, "18446744073.709551615"),
        ] as [(UInt64, String)]) func times(_ nanoseconds: UInt64, _ text: String)
    {
        #expect(Exposition.text(.nanoseconds(nanoseconds)) == text)
    }

    @Test(arguments: [1, 2]) func aHistogramIsCumulative(step: Int) {
        var durations = DurationHistogram()
        for nanoseconds: UInt64 in [1, 65_536, 65_537, 1_000_000_000, 100_000_000_000] {
            durations.add(nanoseconds: nanoseconds)
        }
        let lines = page {
            $0.begin(.loopLag)
            $0.histogram(durations, [("loop", "0")], step: step)
        }
        let counts = lines.filter { $0.contains("_bucket") }.map { Int($0.split(separator: " ")[1]) ?? -1 }
        #expect(counts == counts.sorted() && counts.last == 5)
        #expect(counts.count == 18 / step + 1)
        #expect(counts.first == (step == 1 ? 2 : 3) && counts[counts.count - 2] == 4)
        #expect(lines.contains("starling_loop_lag_seconds_count{loop=\"0\"} 5"))
        #expect(lines.contains("starling_loop_lag_seconds_sum{loop=\"0\"} 101.000131074"))
        #expect(lines.contains { $0.contains("le=\"+Inf\"} 5") })
    }
}

@Suite("The table of metrics") struct MetricTests {
    /// As `promtool check metrics` has it, which may not be installed.
    @Test(arguments: Metric.allCases) func namesFollowTheConventions(_ metric: Metric) {
        let (family, name) = (metric.family, metric.rawValue)
        #expect(!family.help.isEmpty && !family.help.hasSuffix("."))
        #expect(name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F })
        #expect((family.kind == .counter) == name.hasSuffix("_total"), "counters, and only they, end so")
        #expect((family.kind == .histogram) == (name.hasSuffix("_seconds") && family.kind != .gauge))
        #expect(metric.isSoketi != (name.hasPrefix("starling_") || name.hasPrefix("process_")))
        #expect(Set(family.labels).isDisjoint(with: ["channel", "user", "user_id", "peer", "socket_id", "le"]))
    }

    @Test func noPrefixMakesTwoFamiliesOne() {
        let ours = Set(Metric.allCases.filter { !$0.isSoketi }.map(\.rawValue))
        for prefix in ["", "starling_", "process_"] {
            #expect(ours.isDisjoint(with: Metric.allCases.filter(\.isSoketi).map { prefix + $0.rawValue }))
        }
    }
}

@Suite("Durations") struct DurationHistogramTests {
    @Test(arguments: 0..<DurationHistogram.classCount) func aBoundBelongsToItsClass(place: Int) {
        var durations = DurationHistogram()
        guard let bound = DurationHistogram.boundNanoseconds(of: place) else {
            durations.add(nanoseconds: .max)
            return #expect(durations[place] == 1)
        }
        durations.add(nanoseconds: bound)
        durations.add(nanoseconds: bound + 1, count: 3)
        #expect(durations[place] == 1 && durations[place + 1] == 3 && durations.count == 4)
    }

    @Test func sumsAddUp() {
        var (one, other) = (DurationHistogram(), DurationHistogram())
        one.add(nanoseconds: 5)
        other.add(nanoseconds: 1 << 30, count: 2)
        one.add(other)
        #expect(one.count == 3 && one.nanosecondsTotal == 5 + 2 << 30 && one[0] == 1)
    }
}
