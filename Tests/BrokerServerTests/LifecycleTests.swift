#if DEBUG
    @testable import BrokerServer
    import Reactor
    import Testing

    @Suite("From the first signal to the end (PW-037)") struct LifecycleTests {
        /// A step: what happens at which millisecond, and what is done about it.
        enum Step {
            case hear(ProcessSignal, at: UInt64, [Lifecycle.Action])
            case pass(to: UInt64, clients: Int, unanswered: Int? = 0, untold: Int = 0, [Lifecycle.Action])
            case replaced(at: UInt64, [Lifecycle.Action])
        }

        static let stories: [(String, delay: UInt64, [Step])] = [
            (
                "a signal with nobody here", 0,
                [
                    .pass(to: 0, clients: 0, []), .hear(.terminate, at: 5, [.failReadiness]),
                    .pass(to: 5, clients: 0, [.sendClientsAway, .closeListeners, .end(now: false)]),
                    .hear(.terminate, at: 6, []), .pass(to: 7, clients: 0, []),
                ]
            ),
            (
                "clients leave within the grace", 0,
                [
                    .hear(.interrupt, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 2, [.sendClientsAway, .closeListeners]), .pass(to: 9_999, clients: 1, []),
                    .pass(to: 9_999, clients: 0, [.end(now: false)]),
                ]
            ),
            (
                "webhooks that only memory holds are tried as long as clients have", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 0, untold: 2, [.sendClientsAway, .closeListeners]),
                    .pass(to: 5_000, clients: 0, untold: 1, []), .pass(to: 5_020, clients: 0, [.end(now: false)]),
                ]
            ),
            (
                "and no longer", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 0, untold: 2, [.sendClientsAway, .closeListeners]),
                    .pass(to: 10_000, clients: 0, untold: 2, [.end(now: false)]),
                ]
            ),
            (
                "a client stays longer than the grace", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 1, [.sendClientsAway, .closeListeners]), .pass(to: 9_999, clients: 1, []),
                    .pass(to: 10_000, clients: 1, [.end(now: false)]),
                ]
            ),
            (
                "balancers have their time first, also with nobody here", 3_000,
                [
                    .hear(.terminate, at: 1_000, [.failReadiness]), .pass(to: 3_999, clients: 0, []),
                    .pass(to: 4_000, clients: 1, [.sendClientsAway, .closeListeners]),
                    .pass(to: 13_999, clients: 1, []),
                    .pass(to: 14_000, clients: 1, [.end(now: false)]),
                ]
            ),
            (
                "a second signal ends it now, in the delay", 3_000,
                [
                    .hear(.terminate, at: 0, [.failReadiness]), .hear(.hangup, at: 1, []), .hear(.user1, at: 1, []),
                    .hear(.user2, at: 1, []), .hear(.interrupt, at: 1, [.end(now: true)]), .hear(.terminate, at: 2, []),
                ]
            ),
            (
                "a second signal ends it now, in the drain", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 1, [.sendClientsAway, .closeListeners]),
                    .hear(.terminate, at: 1, [.end(now: true)]), .pass(to: 20_000, clients: 0, []),
                ]
            ),
            (
                "USR2 drains without an end, and back", 2_000,
                [
                    .hear(.user2, at: 0, [.failReadiness]), .pass(to: 1_999, clients: 5, []),
                    .pass(to: 2_000, clients: 5, [.sendClientsAway]), .pass(to: 99_000, clients: 0, []),
                    .hear(.user2, at: 99_000, [.serveAgain]), .pass(to: 99_001, clients: 0, []),
                    .hear(.user2, at: 99_002, [.failReadiness]), .hear(.user2, at: 99_003, [.serveAgain]),
                    .pass(to: 200_000, clients: 0, []),
                ]
            ),
            (
                "an end after USR2 waits for no balancer", 2_000,
                [
                    .hear(.user2, at: 0, [.failReadiness]), .pass(to: 2_000, clients: 5, [.sendClientsAway]),
                    .hear(.terminate, at: 50_000, [.closeListeners]), .pass(to: 59_999, clients: 1, []),
                    .hear(.user2, at: 59_999, []), .pass(to: 60_000, clients: 1, [.end(now: false)]),
                ]
            ),
            (
                "an end in the delay of USR2 comes when that is over", 2_000,
                [
                    .hear(.user2, at: 0, [.failReadiness]), .hear(.terminate, at: 1_500, []),
                    .pass(to: 1_999, clients: 0, []),
                    .pass(to: 2_000, clients: 0, [.sendClientsAway, .closeListeners, .end(now: false)]),
                ]
            ),
            (
                "who had connected has his answer before the end, if he asks within a second", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 0, unanswered: nil, [.sendClientsAway, .closeListeners]),
                    .pass(to: 20, clients: 0, unanswered: nil, []), .pass(to: 40, clients: 0, unanswered: 3, []),
                    .pass(to: 999, clients: 0, unanswered: 1, []),
                    .pass(to: 1_000, clients: 0, unanswered: 1, [.end(now: false)]),
                ]
            ),
            (
                "a loop that never tells holds up nobody, and answers do not outlast the grace's clients", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 2, unanswered: nil, [.sendClientsAway, .closeListeners]),
                    .pass(to: 5_000, clients: 1, unanswered: 0, []),
                    .pass(to: 10_000, clients: 1, unanswered: nil, [.end(now: false)]),
                ]
            ),
            (
                "another process takes the listeners: no delay, and a drain", 3_000,
                [
                    .replaced(at: 100, [.leaveListeners, .sendClientsAway]),
                    .pass(to: 120, clients: 1, unanswered: 0, []), .hear(.user2, at: 130, []),
                    .replaced(at: 140, []),
                    .pass(to: 200, clients: 0, unanswered: 0, [.end(now: false)]), .replaced(at: 300, []),
                ]
            ),
            (
                "it may do so out of traffic, and in the delay of the end, but not when the listeners are closed",
                3_000,
                [
                    .hear(.user2, at: 0, [.failReadiness]), .hear(.terminate, at: 10, []),
                    .replaced(at: 20, [.leaveListeners, .sendClientsAway]),
                    .pass(to: 3_100, clients: 1, unanswered: 0, []),
                    .pass(to: 10_020, clients: 1, unanswered: 0, [.end(now: false)]),
                ]
            ),
            (
                "after the listeners closed there is nothing to take", 0,
                [
                    .hear(.terminate, at: 0, [.failReadiness]),
                    .pass(to: 0, clients: 1, unanswered: nil, [.sendClientsAway, .closeListeners]),
                    .replaced(at: 10, []),
                    .hear(.terminate, at: 20, [.end(now: true)]),
                ]
            ),
            (
                "who was replaced ends at once when he is told to", 0,
                [.replaced(at: 0, [.leaveListeners, .sendClientsAway]), .hear(.terminate, at: 1, [.end(now: true)])]
            ),
        ]

        @Test(arguments: stories.indices) func story(_ number: Int) {
            let (name, delay, steps) = Self.stories[number]
            let times = Lifecycle.Times(delay: delay, grace: 10_000)
            var lifecycle = Lifecycle()
            for (index, step) in steps.enumerated() {
                let (done, wanted): ([Lifecycle.Action], [Lifecycle.Action])
                switch step {
                case .hear(let signal, let now, let actions):
                    (done, wanted) = (lifecycle.hear(signal, milliseconds: now, times), actions)
                case .pass(let now, let clients, let unanswered, let untold, let actions):
                    let left = Lifecycle.Left(clients: clients, unanswered: unanswered, untold: untold)
                    (done, wanted) = (lifecycle.advance(milliseconds: now, times, left), actions)
                case .replaced(let now, let actions):
                    (done, wanted) = (lifecycle.replaced(milliseconds: now, times), actions)
                }
                #expect(done == wanted, "\(name), step \(index)")
                let ends = wanted.contains { [.end(now: false), .end(now: true)].contains($0) }
                if ends { #expect(lifecycle.hasEnded, "\(name), step \(index)") }
            }
        }

        @Test func listenersAreThereUntilTheyClose() {
            let times = Lifecycle.Times(delay: 10, grace: 10)
            var lifecycle = Lifecycle()
            #expect(lifecycle.hasListeners)
            _ = lifecycle.hear(.user2, milliseconds: 0, times)
            _ = lifecycle.advance(milliseconds: 10, times, Lifecycle.Left(clients: 1))
            #expect(lifecycle.hasListeners, "out of traffic they stay open")
            _ = lifecycle.hear(.terminate, milliseconds: 20, times)
            #expect(!lifecycle.hasListeners)
        }

        @Test func itWaitsAsLongAsNothingIsDue() {
            var lifecycle = Lifecycle()
            let times = Lifecycle.Times(delay: 700, grace: 120)
            #expect(lifecycle.wait(milliseconds: 0) == nil)
            _ = lifecycle.hear(.user2, milliseconds: 100, times)
            #expect(lifecycle.wait(milliseconds: 100) == 700 && lifecycle.wait(milliseconds: 900) == 0)
            _ = lifecycle.advance(milliseconds: 800, times, Lifecycle.Left(clients: 1))
            #expect(lifecycle.wait(milliseconds: 800) == nil, "it stays so")
            _ = lifecycle.hear(.terminate, milliseconds: 1_000, times)
            #expect(lifecycle.wait(milliseconds: 1_000) == 20, "clients are looked at")
        }
    }
#endif
