#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import PusherProtocol
    @testable import Reactor
    import Telemetry
    import Testing
    import Webhooks

    @Suite("The metrics page") struct MetricsPageTests {
        private func lines(_ page: MetricsPage) -> [Substring] {
            String(decoding: page.text(), as: UTF8.self).split(separator: "\n")
        }

        private func page(apps: Int, others: Bool = false) -> MetricsPage {
            var page = MetricsPage()
            page.loops = [.init(), .init()]
            page.apps = (0..<apps).map { .init(id: "app-\($0)") }
            if others { page.others = .init(id: MetricsPage.otherApps, connections: 7) }
            page.server.prefix = "soketi_"
            return page
        }

        @Test func everyFamilyOfTheTableIsThereOnce() {
            let said = lines(page(apps: 1))
            for metric in Metric.allCases {
                let name = (metric.isSoketi ? "soketi_" : "") + metric.rawValue
                #expect(said.count { $0.hasPrefix("# HELP \(name) ") } == 1, "\(name)")
                #expect(said.count { $0 == "# TYPE \(name) \(metric.family.kind.rawValue)" } == 1, "\(name)")
            }
        }

        @Test("every sample has the labels of its family") func labels() {
            var full = page(apps: 2, others: true)
            full.total.counts.refusals.add(.auth, code: 401)
            full.total.counts.http.add(.events, status: 200)
            full.total.counts.closes.add(.closed(code: 4201))
            full.certificates = [("/etc/tls/leaf.pem", 1_900_000_000)]
            full.webhooks.apps = [.init(id: "app-0")]
            full.server.build = [("version", "1"), ("commit", "c"), ("swift", "6"), ("openssl", "3")]
            let byName = Dictionary(
                uniqueKeysWithValues: Metric.allCases.map { (($0.isSoketi ? "soketi_" : "") + $0.rawValue, $0) })
            var seen: Set<Metric> = []
            for line in lines(full) where !line.hasPrefix("#") {
                var name = String(line.prefix { $0 != "{" && $0 != " " })
                for suffix in ["_bucket", "_sum", "_count"] where byName[name] == nil && name.hasSuffix(suffix) {
                    name = String(name.dropLast(suffix.count))
                }
                guard let metric = byName[name] else { Issue.record("\(line)"); continue }
                seen.insert(metric)
                let written = line.split(separator: "{").dropFirst().first?.split(separator: "}").first ?? ""
                let labels = written.split(separator: ",").compactMap {
                    $0.split(separator: "=").first.map(String.init)
                }
                #expect(labels.filter { $0 != "le" } == metric.family.labels, "\(line)")
            }
            #expect(seen == Set(Metric.allCases), "each has a sample")
        }

        @Test("a thousand apps make no page of a megabyte") func bounded() {
            let few = page(apps: 100, others: true).text().count
            #expect(few < 300_000, "\(few) bytes")
            #expect(few > 10_000)
        }

        @Test func theOtherAppsAreOneMore() {
            var page = page(apps: 2, others: true)
            page.total.otherApps.opened = 9
            page.total.apps = [AppMeter()]
            page.total.apps[0].opened = 4
            let said = lines(page)
            #expect(said.contains(#"starling_connections_opened_total{app_id="app-0"} 4"#))
            #expect(said.contains(#"starling_connections_opened_total{app_id="app-1"} 0"#))
            #expect(said.contains(#"starling_connections_opened_total{app_id="other apps"} 9"#))
            #expect(said.contains(#"starling_connections{app_id="other apps"} 7"#))
        }

        @Test func loopsAddUpButTheirTurnsDoNot() {
            var (one, other) = (LoopReport(), LoopReport())
            (one.statistics.bytesIn, other.statistics.bytesIn) = (3, 4)
            (one.apps, other.apps) = ([AppMeter()], [AppMeter(), AppMeter()])
            (one.apps[0].deliveries, other.apps[0].deliveries, other.apps[1].deliveries) = (1, 2, 5)
            one.counts.refusals.add(.auth, code: 401)
            other.counts.refusals.add(.auth, code: 401, 2)
            other.counts.refusals.add(.auth)
            other.turns.add(nanoseconds: 1)
            one.add(other)
            #expect(one.statistics.bytesIn == 7 && one.apps.map(\.deliveries) == [3, 5] && one.turns.count == 0)
            #expect(one.counts.refusals[.auth] == 4)
        }

        @Test(
            "a close code is told as it was, or as another",
            arguments: [
                (EndCause.closeFrame(code: 1000), "client", "1000"), (.closeFrame(code: nil), "client", "none"),
                (.closeFrame(code: 2_000), "client", "other"), (.closeFrame(code: 4_999), "client", "other"),
                (.closed(code: 4009), "server", "4009"), (.closed(code: 4100), "server", "4100"),
                (.closed(code: 4202), "server", "4202"), (.closed(code: 1009), "server", "1009"),
                (.closed(code: 4302), "server", "4302"), (.transport(.reset), "network", "reset"),
                (.transport(.error(5)), "network", "error"), (.transport(.peerClosed), "network", "closed"),
            ]) func closes(_ cause: EndCause, _ by: String, _ code: String)
        {
            var counts = CloseCounts()
            counts.add(cause)
            var said: [String] = []
            counts.forEach { said.append("\($0) \($1) \($2)") }
            #expect(said == ["\(by) \(code) 1"])
        }

        @Test func everyCodeOfTheProtocolHasAPlace() {
            for code in PusherErrorCode.allCases {
                var counts = CloseCounts()
                counts.add(.closed(with: code))
                counts.forEach { _, said, _ in #expect(said == String(code.rawValue)) }
            }
        }

        @Test func refusalsOfACodeThatNobodyKnowsStayBounded() {
            var counts = RefusalCounts()
            for code in 0..<10_000 { counts.add(.http, code: code) }
            var entries = 0
            counts.forEach { _, _, _ in entries += 1 }
            #expect(entries <= 256 && counts[.http] == 10_000)
        }

        @Test("statuses that are sent have a label of their own") func statuses() {
            for (place, status) in HTTPCounts.statuses.enumerated() {
                var counts = HTTPCounts()
                counts.add(.users, status: status == 0 ? 599 : status)
                #expect(counts[.users, status: place] == 1)
            }
        }
    }

    @Suite("What a loop counts") struct LoopCountTests {
        private func report(_ bench: LoopBench) -> LoopReport {
            let meters = bench.server.state.shared.meters
            meters.ask([bench.loop.handle], for: bench.loop.handle, appsMax: 10)
            #expect(meters.silentCount == 1)
            bench.turn(1)
            #expect(meters.silentCount == 0)
            return meters.boards[0].last
        }

        @Test func aLoopThatIsAskedTellsInItsNextTurn() throws {
            let bench = try LoopBench()
            bench.connect()
            #expect(report(bench).apps[0].opened == 1)
            bench.hangUp()
            bench.turn(3)
            let after = report(bench)
            #expect(after.apps[0].closed == 1)
            var closes: [String] = []
            after.counts.closes.forEach { closes.append("\($0) \($1) \($2)") }
            #expect(closes == ["network closed 1"])
        }

        @Test func nobodyAskedNothingIsCopied() throws {
            let bench = try LoopBench()
            bench.connect()
            bench.turn(5)
            #expect(bench.server.state.shared.meters.boards[0].last.apps.isEmpty)
        }

        @Test func messagesAndTheirAnswersAreCountedWithTheirBytes() throws {
            let bench = try LoopBench()
            bench.connect()
            let before = report(bench).apps[0]
            _ = bench.takeHeard()
            let ping = Array(#"{"event":"pusher:ping","data":{}}"#.utf8)
            bench.send(frame: 1, ping)
            bench.turn(3)
            let after = report(bench).apps[0]
            #expect(after.messages == before.messages + 1)
            #expect(after.messageBytes == before.messageBytes + UInt64(ping.count))
            #expect(after.answers == before.answers + 1)
            #expect(after.answerBytes == before.answerBytes + UInt64(bench.heard.count))
        }

        @Test func anUnsignedCallIsCountedByRouteAndStatusAndForItsApp() throws {
            let bench = try LoopBench()
            let call = "GET /apps/app-id/channels HTTP/1.1\r\nHost: x\r\n\r\n"
            bench.send(Array(call.utf8))
            bench.turn(3)
            let now = report(bench)
            let place = try #require(HTTPCounts.statuses.firstIndex(of: 401))
            #expect(now.counts.http[.channels, status: place] == 1)
            #expect(now.counts.refusals[.auth] == 1)
            #expect(now.apps[0].requests == 1 && now.apps[0].requestBytes == UInt64(call.utf8.count))
            #expect(now.apps[0].responseBytes == UInt64(bench.heard.count))
        }

        @Test func whatCannotBeReadIsNoRoute() throws {
            let bench = try LoopBench()
            bench.send(Array("GET /apps/app-id/channels\r\n\r\n".utf8))
            bench.turn(3)
            let now = report(bench)
            let place = try #require(HTTPCounts.statuses.firstIndex(of: 400))
            #expect(now.counts.http[.unreadable, status: place] == 1)
        }
    }
#endif
