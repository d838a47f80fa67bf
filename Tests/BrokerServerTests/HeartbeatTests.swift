#if DEBUG
    @testable import BrokerServer
    import PusherProtocol
    import TestSupport
    import Testing

    @Suite("Who is alive (PW-026, PW-027, PW-029, PW-122)") struct HeartbeatTests {
        private static let limits = Heartbeat.Limits(activityMilliseconds: 1_000, pongMilliseconds: 300)
        private static let strict = Heartbeat.Limits(
            activityMilliseconds: 1_000, pongMilliseconds: 300, authorizationMilliseconds: 400)

        /// What happens at a time, in milliseconds after the client was let in.
        enum Event: Sendable {
            case heard(UInt32)
            case check(UInt32, isAuthorized: Bool = false, drained: UInt32 = 0, Heartbeat.Action)
        }

        static let rows: [Row<(limits: Heartbeat.Limits, events: [Event])>] = [
            Row(
                "silence is answered by a ping, more silence by 4201",
                (
                    limits,
                    [
                        .check(999, .wait(milliseconds: 1)), .check(1_000, .ping(thenMilliseconds: 300)),
                        .check(1_299, .wait(milliseconds: 1)), .check(1_300, .close(.noPong)),
                    ]
                )),
            Row("a timer that is late closes nobody unasked", (limits, [.check(9_000, .ping(thenMilliseconds: 1))])),
            Row(
                "any byte after the ping proves life, and the next silence is a whole one",
                (
                    limits,
                    [
                        .check(1_000, .ping(thenMilliseconds: 300)), .heard(1_299),
                        .check(1_300, .wait(milliseconds: 999)),
                        .check(2_299, .ping(thenMilliseconds: 300)), .check(2_599, .close(.noPong)),
                    ]
                )),
            Row(
                "who speaks in time is not pinged",
                (
                    limits,
                    [
                        .heard(900), .check(1_000, .wait(milliseconds: 900)), .heard(1_800),
                        .check(1_900, .wait(milliseconds: 900)), .check(2_800, .ping(thenMilliseconds: 300)),
                    ]
                )),
            Row(
                "a backlog that gets shorter after the ping proves life, as long as it does",
                (
                    limits,
                    [
                        .check(1_000, drained: 7, .ping(thenMilliseconds: 300)),
                        .check(1_300, drained: 8, .wait(milliseconds: 1_300)),
                        .check(2_600, drained: 9, .wait(milliseconds: 1_300)),
                        .check(3_900, drained: 9, .close(.noPong)),
                    ]
                )),
            Row(
                "what was taken before the ping proves nothing about what comes after it",
                (
                    limits,
                    [
                        .check(1_000, drained: 50, .ping(thenMilliseconds: 300)),
                        .check(1_300, drained: 50, .close(.noPong)),
                    ]
                )),
            Row(
                "who proves nothing in time is closed 4009, however much it says",
                (
                    strict,
                    [
                        .check(0, .wait(milliseconds: 400)), .heard(390), .check(399, .wait(milliseconds: 1)),
                        .heard(399),
                        .check(400, .close(.unauthorized)),
                    ]
                )),
            Row(
                "who has proved itself stays, and is heard by the silence alone",
                (
                    strict,
                    [
                        .check(399, isAuthorized: true, .wait(milliseconds: 601)),
                        .check(400, isAuthorized: true, .wait(milliseconds: 600)),
                        .check(1_000, isAuthorized: true, .ping(thenMilliseconds: 300)),
                    ]
                )),
            Row("without the option nobody needs proof", (limits, [.check(500, .wait(milliseconds: 500))])),
        ]

        /// The loop's clock is truncated to 32 bits and wraps after 49 days.
        @Test(arguments: rows, [0, 77_000, UInt32.max - 500])
        func decides(_ row: Row<(limits: Heartbeat.Limits, events: [Event])>, from start: UInt32) {
            var heartbeat = Heartbeat(now: start)
            for event in row.value.events {
                switch event {
                case .heard(let at): heartbeat.heard(now: start &+ at)
                case .check(let at, let isAuthorized, let drained, let wanted):
                    let action = heartbeat.check(
                        now: start &+ at, row.value.limits, isAuthorized: isAuthorized, drainedBytes: drained)
                    #expect(action == wanted, "at \(at)")
                }
            }
        }

        @Test func theFirstLookIsAtWhateverIsDueFirst() {
            let new = Heartbeat(now: 5)
            #expect(new.next(5, Self.limits, false) == 1_000)
            #expect(new.next(5, Self.strict, false) == 400)
            #expect(new.next(5, Self.strict, true) == 1_000)
            #expect(new.next(5_000, Self.strict, false) == 1, "never 0: a timer that is always due would spin")
        }
    }
#endif
