#if DEBUG
    @testable import BrokerServer
    import Configuration
    import TestSupport
    import Testing

    @Suite("Short memory: when, and what follows") struct MemoryGuardTests {
        private static let limit = 1_600

        private func reading(_ used: Int, backlogs: Int = 1_000) -> MemoryGuard.Reading {
            MemoryGuard.Reading(usedBytes: used, limitBytes: Self.limit, backlogBytes: backlogs)
        }

        @Test func backlogsAreCutBackToThreeQuartersOfTheLimit() {
            var memory = MemoryGuard()
            #expect(memory.look(reading(1_600), milliseconds: 0) == .init(), "the limit itself may be used")
            let outcome = memory.look(reading(1_601), milliseconds: 100)
            #expect(outcome == .init(level: .short, stalledBytesMax: 599, news: .short))
            #expect(memory.look(reading(1_700, backlogs: 50), milliseconds: 200).stalledBytesMax == 0)
            #expect(memory.look(reading(1_100), milliseconds: 300).stalledBytesMax == 1_100, "room is left")
        }

        @Test func thoseWhoReadAreCutBackToFifteenSixteenths() {
            var memory = MemoryGuard()
            let outcome = memory.look(reading(1_801), milliseconds: 0)
            #expect(outcome == .init(level: .strained, stalledBytesMax: 399, backlogBytesMax: 699, news: .short))
            #expect(memory.look(reading(1_801, backlogs: 50), milliseconds: 1).backlogBytesMax == 0)
        }

        @Test func whoReadsSlowlyGoesFromAnEighthAboveTheLimitOnUntilBelowIt() {
            var memory = MemoryGuard()
            let steps: [(used: Int, level: MemoryGuard.Level)] = [
                (1_800, .short), (1_801, .strained), (1_601, .strained), (1_600, .short), (1_601, .short),
            ]
            for (number, step) in steps.enumerated() {
                #expect(memory.look(reading(step.used), milliseconds: UInt64(number)).level == step.level, "\(step)")
            }
        }

        @Test("it ends after a second in a row at fifteen sixteenths or below, however it flutters") func hysteresis() {
            var memory = MemoryGuard()
            var news: [MemoryGuard.News] = []
            func look(_ used: Int, _ now: UInt64) {
                memory.look(reading(used), milliseconds: now).news.map { news.append($0) }
            }
            look(1_601, 1_000)
            for tick in 0..<50 { look(tick % 2 == 0 ? 1_499 : 1_501, 1_100 + UInt64(tick) * 100) }
            #expect(memory.level == .short && news == [.short])
            let last: UInt64 = 1_100 + 49 * 100
            look(1_500, last + 999)
            #expect(memory.level == .short)
            look(1_500, last + 1_000)
            #expect(memory.level == .calm && news == [.short, .enough(milliseconds: last)])
            look(1_500, last + 1_100)
            #expect(news.count == 2)
        }

        @Test func itIsSaidOnceInTenSeconds() {
            var memory = MemoryGuard()
            let said = (0...250).compactMap { tick in
                memory.look(reading(1_700), milliseconds: UInt64(tick) * 100).news.map { (tick, $0) }
            }
            #expect(said.map(\.0) == [0, 100, 200] && said.map(\.1) == [.short, .stillShort, .stillShort])
        }

        @Test func itLooksOftenOnlyWhereItMatters() {
            var memory = MemoryGuard()
            #expect(memory.wait(milliseconds: 5) == 0, "at once")
            _ = memory.look(reading(800), milliseconds: 5)
            #expect(memory.wait(milliseconds: 5) == 1_000 && memory.wait(milliseconds: 2_000) == 0)
            _ = memory.look(reading(801), milliseconds: 5)
            #expect(memory.wait(milliseconds: 5) == 100)
            _ = memory.look(reading(1_200), milliseconds: 5)
            #expect(memory.wait(milliseconds: 5) == 100)
            _ = memory.look(reading(1_201), milliseconds: 5)
            #expect(memory.wait(milliseconds: 5) == 25)
            _ = memory.look(reading(1_601), milliseconds: 5)
            _ = memory.look(reading(10), milliseconds: 6)
            #expect(memory.wait(milliseconds: 6) == 100, "until it is over")
        }

        @Test func withoutALimitNobodyLooksAndWhatWasShortEnds() {
            var memory = MemoryGuard()
            _ = memory.look(reading(9_999), milliseconds: 1_000)
            let off = MemoryGuard.Reading(usedBytes: 0, limitBytes: nil, backlogBytes: 0)
            #expect(memory.look(off, milliseconds: 1_500) == .init(news: .enough(milliseconds: 500)))
            #expect(memory.wait(milliseconds: 1_500) == nil && memory.look(off, milliseconds: 1_600) == .init())
            #expect(memory.look(reading(9_999), milliseconds: 1_700).news == .short, "and it may be wanted again")
        }

        @Test func theHeapIsTrimmedBeforeAnybodyGoesAndSeldom() {
            var memory = MemoryGuard()
            let asked: [(used: Int, now: UInt64)] = [(1_600, 0), (1_601, 0), (1_601, 4_999), (1_601, 5_000)]
            #expect(
                asked.map { memory.wantsTrim(reading($0.used), milliseconds: $0.now) } == [false, true, false, true])
        }
    }

    @Suite("Whose memory is measured, and against what") struct MemoryGroupTests {
        static let statm = ["/proc/self/statm": "99999 5000 1 1 1 1 1"]
        static let resident = 5_000 * 4_096

        private static func files(_ own: String, _ more: [String: String]) -> MemoryGroup.Files {
            { path in (path == "/proc/self/cgroup" ? own : nil) ?? more[path] ?? statm[path] }
        }

        static let new = "/sys/fs/cgroup", old = "/sys/fs/cgroup/memory"
        static let rows: [Row<(own: String, files: [String: String], folder: String?, limit: Int)>] = [
            Row("no group", ("", [:], nil, 0)),
            Row("a group without a limit", ("0::/a\n", ["\(new)/a/memory.max": "max\n"], nil, 0)),
            Row("the new hierarchy", ("0::/a/b\n", ["\(new)/a/b/memory.max": "5000\n"], "\(new)/a/b", 5_000)),
            Row(
                "a smaller limit above",
                ("0::/a/b\n", ["\(new)/a/b/memory.max": "5000\n", "\(new)/a/memory.max": "4000\n"], "\(new)/a", 4_000)),
            Row(
                "a larger limit above",
                (
                    "0::/a/b\n", ["\(new)/a/b/memory.max": "4000\n", "\(new)/a/memory.max": "5000\n"], "\(new)/a/b",
                    4_000
                )
            ),
            Row("in a container its own group is the root", ("0::/\n", ["\(new)/memory.max": "7\n"], new, 7)),
            Row(
                "in a container of the old hierarchy its path is the machine's",
                ("9:cpu:/docker/1\n4:memory:/docker/1\n", ["\(old)/memory.limit_in_bytes": "9000\n"], old, 9_000)),
            Row("out of sight", ("0::/../../x\n", ["\(new)/memory.max": "8\n"], new, 8)),
            Row(
                "the old hierarchy beside the new one",
                (
                    "5:hugetlb,memory:/a\n0::/a\n",
                    ["\(old)/a/memory.limit_in_bytes": "6000\n", "\(new)/a/memory.max": "1\n"], "\(old)/a", 6_000
                )),
            Row(
                "the old hierarchy's word for no limit",
                ("4:memory:/a\n", ["\(old)/a/memory.limit_in_bytes": "9223372036854771712\n"], nil, 0)),
        ]

        @Test(arguments: rows)
        func isFound(_ row: Row<(own: String, files: [String: String], folder: String?, limit: Int)>) {
            let group = MemoryGroup(Self.files(row.value.own, row.value.files))
            #expect(group?.folder == row.value.folder && group?.limitBytes ?? 0 == row.value.limit)
        }

        /// 100 MB of 200 in use, some of which the kernel can drop.
        private func group(_ used: Int, stat: String, isOld: Bool = false) -> MemoryGroup.Files {
            isOld
                ? Self.files(
                    "4:memory:/a",
                    [
                        "\(Self.old)/a/memory.limit_in_bytes": "200000000",
                        "\(Self.old)/a/memory.usage_in_bytes": "\(used)", "\(Self.old)/a/memory.stat": stat,
                    ])
                : Self.files(
                    "0::/a",
                    [
                        "\(Self.new)/a/memory.max": "200000000", "\(Self.new)/a/memory.current": "\(used)",
                        "\(Self.new)/a/memory.stat": stat,
                    ])
        }

        @Test func whatTheKernelCanDropIsNotInUse() {
            var reader = MemoryReader()
            let stat = "anon 9\ninactive_file 1000000\nactive_file 2000000\nslab_reclaimable 3000000\nsock 500000\n"
            let now = reader.read(.percent(80), milliseconds: 0, group(36_000_000, stat: stat))
            #expect(now?.used == 30_000_000 && now?.limit == 160_000_000)
            var other = MemoryReader()
            let oldStat = "cache 1\ninactive_file 7\ntotal_inactive_file 1000000\ntotal_active_file 2000000\n"
            let read = other.read(.percent(50), milliseconds: 0, group(33_000_000, stat: oldStat, isOld: true))
            #expect(read?.used == 30_000_000 && read?.limit == 100_000_000)
        }

        @Test func whereOthersOfTheGroupHoldMostOfItOnlyOurOwnCounts() {
            var reader = MemoryReader()
            #expect(
                reader.read(.percent(80), milliseconds: 0, group(41_000_000, stat: "sock 0"))?.used == Self.resident)
            #expect(reader.read(.percent(80), milliseconds: 1, group(40_000_000, stat: "sock 0"))?.used == 40_000_000)
            #expect(
                reader.read(.percent(80), milliseconds: 2, group(41_000_000, stat: "sock 600000"))?.used == 41_000_000,
                "buffers of sockets are ours")
        }

        @Test func bytesAreThoseOfTheProcessAndAShareWithoutAGroupIsOfTheMachine() {
            var reader = MemoryReader()
            let bytes = reader.read(.bytes(7), milliseconds: 0, group(99, stat: ""))
            #expect(bytes?.used == Self.resident && bytes?.limit == 7)
            let off = reader.read(.off, milliseconds: 0, group(99, stat: ""))
            #expect(off?.used == 0 && off?.limit == nil)
            let alone = reader.read(.percent(50), milliseconds: 0, Self.files("", [:]))
            #expect(alone?.used == Self.resident && alone?.limit == ProcessMemory.machineBytes / 100 * 50)
        }

        @Test func whatCannotBeReadIsNotTakenForNothing() {
            var reader = MemoryReader()
            #expect(reader.read(.percent(50), milliseconds: 0) { _ in nil } == nil)
            var memory = MemoryGuard()
            _ = memory.look(.init(usedBytes: 17, limitBytes: 16, backlogBytes: 0), milliseconds: 0)
            memory.postpone(milliseconds: 100)
            #expect(memory.level == .short && memory.wait(milliseconds: 100) == 1_000)
        }

        @Test func aLimitThatChangesIsSeenWithinTenSeconds() {
            var reader = MemoryReader()
            _ = reader.read(.percent(50), milliseconds: 0, Self.files("", [:]))
            #expect(reader.read(.percent(50), milliseconds: 9_999, group(1, stat: ""))?.limit != 100_000_000)
            #expect(reader.read(.percent(50), milliseconds: 10_000, group(1, stat: ""))?.limit == 100_000_000)
        }
    }
#endif
