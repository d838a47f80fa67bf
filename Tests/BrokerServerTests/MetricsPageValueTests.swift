#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import PusherProtocol
    @testable import Reactor
    import TLS
    import Telemetry
    import Testing
    import Webhooks

    /// What the loops told and what the page says of it, family by family; from the outside `test_metric_values.py` drives the same.
    @Suite("Each number has its place on the metrics page") struct MetricsPageValueTests {
        /// A page on which every number is another.
        private static func page() -> MetricsPage {
            var page = MetricsPage()
            var (first, other) = (AppMeter(), AppMeter())
            (first.opened, first.closed, first.apiEvents, first.batchEvents, first.clientEvents) = (
                1_01, 1_02, 1_03, 1_04, 1_05
            )
            (first.deliveries, first.deliveryBytes, first.answers, first.answerBytes) = (1_060, 1_0700, 1_08, 1_09)
            (first.messages, first.messageBytes) = (1_10, 1_11)
            (first.requests, first.requestBytes, first.responseBytes) = (1_12, 1_13, 1_14)
            other.opened = 9
            (page.total.apps, page.total.otherApps) = ([first], other)
            page.apps = [.init(id: "shop", connections: 21, channels: 22)]
            page.others = .init(id: MetricsPage.otherApps, connections: 23, channels: 24)
            page.total.statistics.accepted = 31
            (page.total.statistics.acceptErrors, page.total.statistics.acceptsRefused) = (32, 33)
            (page.total.statistics.bytesIn, page.total.statistics.bytesOut) = (34, 35)
            (page.total.statistics.shortWrites, page.total.statistics.handshakes) = (36, 37)
            (page.total.statistics.overflows, page.total.statistics.overflowsOfProcess) = (45, 5)
            (page.total.statistics.backlogBytes, page.total.statistics.inputBytes) = (41, 42)
            page.total.statistics.connections = 50
            page.total.sends.add(nanoseconds: 3_000_000, count: 2)
            page.total.counts.http.add(.events, status: 200)
            page.total.counts.closes.add(.closed(code: 4201))
            for _ in 0..<2 { page.total.counts.refusals.add(.auth, code: 401) }
            for _ in 0..<3 { page.total.counts.handshakeFailures.add(.alert) }
            var (one, two) = (MetricsPage.Loop(), MetricsPage.Loop())
            (one.queuedBytes, two.queuedBytes) = (61, 62)
            one.turns.add(nanoseconds: 1_000_000_000)
            two.lag.add(nanoseconds: 2_000)
            (page.loops, page.silentLoops) = ([one, two], 1)
            page.certificates = [("/tls/a.pem", 1_900_000_000)]
            page.facts.memory = ProcessMemory(usedBytes: 71, totalBytes: 72)
            (page.facts.openDescriptors, page.facts.descriptorsMax) = (73, 74)
            page.facts.processorNanoseconds = 1_500_000_000
            page.server.build = [("version", "1"), ("commit", "c"), ("swift", "6"), ("openssl", "3")]
            (page.server.startUnixSeconds, page.server.isReady, page.server.connectionsMax) = (81, true, 82)
            (page.server.webSockets, page.server.backlogMemoryBytes, page.server.backlogLimitBytes) = (43, 83, 84)
            (page.server.reloads, page.server.refusedReloads) = (85, 86)
            page.server.memory = MemoryPressure.Facts(
                level: 1, usedBytes: 87, limitBytes: 88, refusedConnections: 89, refusedCalls: 90)
            page.server.addresses = (known: 91, uncounted: 92)
            (page.total.statistics.rests, page.total.statistics.shortages, page.total.statistics.preambles) = (
                51, 52, 53
            )
            page.total.counts.proxyFaults.add(.malformed)
            page.facts.droppedLines = 75
            page.total.statistics.overflowsOfMemory = 2
            (page.server.port, page.server.prefix) = (6_001, "soketi_")
            page.webhooks = Self.webhooks()
            return page
        }

        private static func webhooks() -> WebhookFacts {
            var (shop, facts) = (WebhookFacts.App(id: "shop"), WebhookFacts())
            (shop.queued, shop.deadLetters, shop.sent, shop.buried) = (201, 202, 203, 204)
            facts.apps = [WebhookFacts.App(id: "late"), shop, WebhookFacts.App(id: "later")]
            (facts.apps[0].queued, facts.apps[2].queued) = (2, 3)
            facts.oldestMilliseconds = 20_500
            for _ in 0..<2 { facts.attempts.add(.answered(status: 404, retryAfterSeconds: nil)) }
            facts.attempts.add(.failed(AttemptFailure(.tls, "")))
            facts.attemptTime.add(nanoseconds: 3_000_000, count: 4)
            (facts.dropped.queue, facts.dropped.letters, facts.dropped.spool, facts.dropped.edges) = (
                205, 206, 207, 208
            )
            (facts.suppressed, facts.spoolBytes, facts.spoolErrors, facts.connections) = (209, 210, 211, 212)
            return facts
        }

        /// Some samples of each family, as they stand on that page. A family that is missing here fails the test.
        private static let wanted: [Metric: [String]] = [
            .buildInfo: [#"{version="1",commit="c",swift="6",openssl="3"} 1"#], .startTime: [" 81"],
            .processorTime: [" 1.5"], .residentMemory: [" 71"], .memoryTotal: [" 72"], .memoryLimit: [" 88"],
            .memoryUsed: [" 87"], .memoryPressure: [" 1"],
            .memoryRefusals: [#"{cause="connection"} 89"#, #"{cause="call"} 90"#], .droppedLines: [" 75"],
            .loopRests: [" 51"], .shortages: [" 52"], .addresses: [" 91"], .addressesUncounted: [" 92"],
            .proxyHeaders: [#"{outcome="read"} 53"#, #"{outcome="malformed"} 1"#], .openDescriptors: [" 73"],
            .descriptorsMax: [" 74"], .ready: [" 1"], .loops: [" 2"], .silentLoops: [" 1"],
            .connections: [#"{app_id="shop"} 21"#, #"{app_id="other apps"} 23"#], .connectionsMax: [" 82"],
            .connectionsOpened: [#"{app_id="shop"} 101"#, #"{app_id="other apps"} 9"#],
            .closes: [#"{by="server",code="4201"} 1"#],
            .sockets: [#"{kind="websocket"} 43"#, #"{kind="http"} 7"#],
            .accepts: [" 31"], .acceptErrors: [" 32"], .acceptsRefused: [" 33"], .receivedBytes: [" 34"],
            .sentBytes: [" 35"], .subscriptions: [#"{kind="private_encrypted_cache"} 0"#],
            .subscribes: [#"{kind="presence"} 0"#], .channels: [#"{kind="public"} 0"#],
            .appChannels: [#"{app_id="shop"} 22"#, #"{app_id="other apps"} 24"#],
            .events: [
                #"{app_id="shop",source="api"} 103"#, #"{app_id="shop",source="batch"} 104"#,
                #"{app_id="shop",source="client"} 105"#,
            ],
            .deliveries: [#"{app_id="shop"} 1060"#],
            .deliveryTime: [
                #"_bucket{le="0.002097152"} 0"#, #"_bucket{le="0.004194304"} 2"#, "_sum 0.006", "_count 2",
            ],
            .messagesReceived: [#"{app_id="shop"} 110"#], .messageBytesReceived: [#"{app_id="shop"} 111"#],
            .messagesSent: [#"{app_id="shop"} 1168"#], .messageBytesSent: [#"{app_id="shop"} 10809"#],
            .requests: [#"{route="events",status="200"} 1"#], .requestBytes: [#"{app_id="shop"} 113"#],
            .responseBytes: [#"{app_id="shop"} 114"#], .refusals: [#"{kind="auth",code="401"} 2"#],
            .limitHits: [#"{limit="messagesPerDay"} 0"#],
            .slowConsumers: [
                #"{limit="backlogBytes"} 38"#, #"{limit="backlogTotalBytes"} 5"#, #"{limit="memory.limit"} 2"#,
            ], .backlog: [" 41"],
            .backlogMemory: [" 83"], .backlogLimit: [" 84"], .shortWrites: [" 36"], .input: [" 42"],
            .queued: [#"{loop="0"} 61"#, #"{loop="1"} 62"#],
            .turnTime: [#"_sum{loop="0"} 1"#, #"_count{loop="0"} 1"#, #"_count{loop="1"} 0"#],
            .loopLag: [#"_count{loop="0"} 0"#, #"_bucket{loop="1",le="0.000131072"} 1"#, #"_sum{loop="1"} 0.000002"#],
            .reloads: [#"{outcome="applied"} 85"#, #"{outcome="failed"} 86"#], .tlsHandshakes: [" 37"],
            .tlsFailures: [#"{reason="alert"} 3"#, #"{reason="version"} 0"#],
            .webhookQueued: [#"{app_id="shop"} 201"#, #"{app_id="other apps"} 5"#],
            .webhookDeadLetters: [#"{app_id="shop"} 202"#], .webhookSent: [#"{app_id="shop"} 203"#],
            .webhookBuried: [#"{app_id="shop"} 204"#], .webhookOldest: [" 20.5"],
            .webhookAttempts: [#"{result="4xx"} 2"#, #"{result="tls"} 1"#, #"{result="2xx"} 0"#],
            .webhookAttemptTime: ["_sum 0.012", "_count 4"],
            .webhookDropped: [
                #"{cause="queue"} 205"#, #"{cause="dead_letters"} 206"#, #"{cause="spool"} 207"#,
                #"{cause="edges"} 208"#,
            ],
            .webhookSuppressed: [" 209"], .webhookSpool: [" 210"], .webhookSpoolErrors: [" 211"],
            .webhookConnections: [" 212"],
            .certificateExpiry: [#"{certificate="/tls/a.pem"} 1900000000"#],
            .soketiConnected: [#"{app_id="shop",port="6001"} 21"#],
            .soketiNewConnections: [#"{app_id="shop",port="6001"} 101"#],
            .soketiNewDisconnections: [#"{app_id="shop",port="6001"} 102"#],
            .soketiReceivedBytes: [#"{app_id="shop",port="6001"} 111"#],
            .soketiSentBytes: [#"{app_id="shop",port="6001"} 10809"#],
            .soketiMessagesReceived: [#"{app_id="shop",port="6001"} 110"#],
            .soketiMessagesSent: [#"{app_id="shop",port="6001"} 1168"#],
            .soketiHTTPReceivedBytes: [#"{app_id="shop",port="6001"} 113"#],
            .soketiHTTPSentBytes: [#"{app_id="shop",port="6001"} 114"#],
            .soketiHTTPCalls: [#"{app_id="shop",port="6001"} 112"#],
        ]

        @Test func everyFamilySaysWhatWasCounted() {
            let said = Set(String(decoding: Self.page().text(), as: UTF8.self).split(separator: "\n").map(String.init))
            for metric in Metric.allCases {
                guard let samples = Self.wanted[metric] else {
                    Issue.record("\(metric.rawValue) is driven to no known value here")
                    continue
                }
                let name = (metric.isSoketi ? "soketi_" : "") + metric.rawValue
                for sample in samples { #expect(said.contains(name + sample), "\(name)\(sample)") }
            }
        }

        @Test func labelsOfPeersAreBoundedWhateverTheySend() {
            var page = Self.page()
            for code in 0..<5_000 { page.total.counts.closes.add(.closeFrame(code: UInt16(code))) }
            for status in 0..<1_000 { page.total.counts.http.add(.unknown, status: status) }
            for code in 0..<10_000 { page.total.counts.refusals.add(.message, code: code) }
            let lines = String(decoding: page.text(), as: UTF8.self).split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("starling_closes_total{") } <= 45)
            #expect(lines.count { $0.hasPrefix("starling_http_requests_total{") } <= 1 + HTTPCounts.statuses.count)
            #expect(lines.count { $0.hasPrefix("starling_refusals_total{") } <= 256)
        }
    }
#endif
