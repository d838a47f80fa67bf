#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("What a supervisor is told") struct SupervisorTests {
        private func supervisor(_ variables: [String: String]) -> Supervisor {
            Supervisor(process: 42) { variables[$0] }
        }

        @Test func itIsFoundByItsVariables() {
            #expect(supervisor([:]).socket == nil)
            #expect(supervisor(["NOTIFY_SOCKET": "/run/n"]).socket == "/run/n")
            #expect(supervisor(["NOTIFY_SOCKET": "@abstract"]).socket == "@abstract")
            #expect(supervisor(["NOTIFY_SOCKET": "vsock:2:1"]).socket == nil, "of other families nothing is known here")
        }

        @Test(
            arguments: [
                ("20000000", nil, 20_000), ("20000000", "42", 20_000), ("20000000", "43", nil), ("0", nil, nil),
                ("x", nil, nil), (nil, "42", nil),
            ] as [(String?, String?, UInt64?)])
        func theWatchdogIsThisProcesss(microseconds: String?, process: String?, milliseconds: UInt64?) {
            var variables = ["NOTIFY_SOCKET": "/run/n"]
            variables["WATCHDOG_USEC"] = microseconds
            variables["WATCHDOG_PID"] = process
            #expect(supervisor(variables).watchdogMilliseconds == milliseconds)
        }

        @Test func withoutASocketThereIsNobodyToFeed() {
            #expect(supervisor(["WATCHDOG_USEC": "20000000"]).watchdogMilliseconds == nil)
        }

        /// sd_notify(3)
        @Test func newsAreLinesOfNamesAndValues() {
            #expect(Supervisor.News.ready(status: "serving").text == "READY=1\nSTATUS=serving")
            #expect(
                Supervisor.News.reloading(monotonicNanoseconds: 7_654_321).text
                    == "RELOADING=1\nMONOTONIC_USEC=7654\nSTATUS=reloading")
            #expect(
                Supervisor.News.stopping(status: "draining", milliseconds: 15_000).text
                    == "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=15000000")
            #expect(Supervisor.News.status("x").text == "STATUS=x" && Supervisor.News.alive.text == "WATCHDOG=1")
        }

        @Test func itIsFedOnlyAfterEveryLoopHasTurned() {
            var watchdog = Watchdog(intervalMilliseconds: 20_000, now: 1_000)
            #expect(watchdog.wait(milliseconds: 1_000) == 0)
            func advance(_ now: UInt64, _ haveAnswered: Bool) -> [Watchdog.Action] {
                watchdog.advance(milliseconds: now, haveAnswered: haveAnswered)
            }
            #expect(advance(1_000, false) == [.ask])
            #expect(advance(5_999, true) == [], "not before its time")
            #expect(advance(6_000, true) == [.feed, .ask])
            #expect(advance(11_000, false) == [], "a loop hangs: nobody is fed, and not asked again")
            #expect(advance(16_000, false) == [])
            #expect(advance(21_000, true) == [.feed, .ask], "it went on")
        }

        @Test(arguments: [1, 4, 1_000, 30_000] as [UInt64])
        func whileAllTurnItIsFedThriceAnIntervalAtLeast(interval: UInt64) {
            var (watchdog, now, fed) = (Watchdog(intervalMilliseconds: interval, now: 0), UInt64(0), 0)
            while now < 10 * interval {
                fed += watchdog.advance(milliseconds: now, haveAnswered: true).count { $0 == .feed }
                now += max(1, watchdog.wait(milliseconds: now))
            }
            #expect(fed >= (interval < 4 ? 9 : 30))
        }
    }
#endif
