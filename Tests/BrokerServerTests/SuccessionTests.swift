#if DEBUG
    @testable import BrokerServer
    import Configuration
    import Glibc
    import Reactor
    import Testing

    @Suite("Listeners from a supervisor (sd_listen_fds(3))") struct SocketActivationTests {
        private func given(_ variables: [String: String]) throws(SocketActivation.Fault) -> [SocketActivation.Given] {
            try SocketActivation(process: 42) { variables[$0] }.given
        }

        @Test func theyAreWhatTheyAreCalled() throws {
            let all = try given([
                "LISTEN_PID": "42", "LISTEN_FDS": "5", "LISTEN_FDNAMES": "web:tls:metrics:starling-tls.socket:",
            ])
            #expect(all.map(\.role) == [.main, .tls, .metrics, .tls, .main])
            #expect(all.map(\.descriptor) == [3, 4, 5, 6, 7] && all[0].name == "web")
            #expect(try given(["LISTEN_PID": "42", "LISTEN_FDS": "2"]).map(\.role) == [.main, .main])
        }

        @Test(arguments: [[:], ["LISTEN_FDS": "1"], ["LISTEN_FDS": "1", "LISTEN_PID": "41"], ["LISTEN_PID": "42"]])
        func thoseOfAnotherProcessAreNotOurs(variables: [String: String]) throws {
            #expect(try given(variables).isEmpty)
        }

        @Test(arguments: ["x", "-1", "257", ""]) func anOddNumberIsAnError(count: String) {
            #expect(throws: SocketActivation.Fault(text: "LISTEN_FDS is no number from 0 to 256")) {
                try given(["LISTEN_PID": "42", "LISTEN_FDS": count])
            }
        }

        @Test func asManyNamesAsDescriptors() {
            #expect(throws: SocketActivation.Fault(text: "LISTEN_FDNAMES has 1 names for 2 descriptors")) {
                try given(["LISTEN_PID": "42", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web"])
            }
        }
    }

    @Suite("Which loops serve a socket") struct ListenerShareTests {
        @Test(
            arguments: [
                (1, 1, [0], false), (2, 2, [0, 1], false), (4, 2, [0, 1, 0, 1], false), (1, 2, [0], true),
                (3, 2, [0, 1, 0], true), (2, 3, [0, 1], true),
            ] as [(Int, Int, [Int], Bool)])
        func share(sockets: Int, loops: Int, owners: [Int], isDealt: Bool) {
            let share = ListenerShare(sockets: sockets, loops: loops)
            #expect(share.loops == owners && share.isDealt == isDealt)
        }
    }

    @Suite("Listeners of others") struct InheritedListenersTests {
        private func one(_ role: ListenerRole, _ host: String, isGiven: Bool = false) throws -> InheritedListeners.One {
            let listener = try Listener(host: "127.0.0.1", port: 0, reusePort: true, backlog: 1)
            return .init(role: role, host: host, isGiven: isGiven, box: ListenerBox(listener))
        }

        @Test func eachIsTakenOnceForWhatItIs() throws {
            let all = [try one(.main, "a"), try one(.tls, "a"), try one(.main, "b"), try one(.metrics, "a")]
            var inherited = InheritedListeners(all)
            #expect(inherited.brokerCount == 3 && !inherited.areGiven)
            #expect(inherited.take(.main, "a", port: 1).isEmpty, "another port")
            #expect(inherited.take(.main, "c", port: 0).isEmpty, "another host")
            #expect(inherited.take(.main, "a", port: all[0].box.port).map(\.descriptor) == [all[0].box.descriptor])
            #expect(inherited.take(.main, "a", port: 0).isEmpty)
            #expect(inherited.take(.tls, "a", port: 0).count == 1 && inherited.brokerCount == 1)
            #expect(inherited.take(.metrics, "a", port: 0).count == 1)
        }

        @Test func ofSeveralPortsAnyIsTheFirstOnes() throws {
            let all = [try one(.main, "a"), try one(.main, "a")]
            var inherited = InheritedListeners(all)
            #expect(inherited.take(.main, "a", port: 0).map(\.port) == [all[0].box.port])
            #expect(inherited.waiting.map(\.box.port) == [all[1].box.port])
        }

        @Test func whatASupervisorGaveIsNotAskedForByAddress() throws {
            var inherited = InheritedListeners([
                try one(.main, "a", isGiven: true), try one(.metrics, "a", isGiven: true),
            ])
            #expect(inherited.areGiven && inherited.take(.main, "a", port: 0).isEmpty)
            #expect(inherited.takeGiven(.main).count == 1 && !inherited.areGiven, "the metrics alone decide nothing")
            #expect(inherited.takeGiven(.metrics).count == 1 && inherited.takeGiven(.metrics).isEmpty)
        }
    }

    @Suite("The talk of a takeover") struct TakeoverTests {
        @Test func whatIsHandedReadsBack() {
            for handed in [
                TakeoverTalk.Handed(role: .main, isGiven: false, port: 6_001, host: "::"),
                .init(role: .tls, isGiven: true, port: 65_535, host: "127.0.0.1"),
                .init(role: .main, isGiven: false, port: 0, host: "unix:/run/a b.sock"),
            ] {
                #expect(TakeoverTalk.Answer(handed.line.dropLast()) == .listener(handed))
            }
            #expect(TakeoverTalk.Answer(TakeoverTalk.end(count: 3).dropLast()) == .end(count: 3))
            #expect(TakeoverTalk.Answer(TakeoverTalk.refusal("it ends").dropLast()) == .refused("it ends"))
        }

        @Test(
            arguments: [
                "", "listener", "listener main 0 1", "listener other 0 1 a", "listener main 2 1 a",
                "listener main 0 70000 a",
                "end", "end x", "end -1", "end 1 2", "hello",
            ])
        func anythingElseIsNone(line: String) { #expect(TakeoverTalk.Answer(line[...]) == nil) }

        @Test func whoAsksAndIsReadyIsLeftTo() {
            var talk = TakeoverOffering(milliseconds: 100)
            #expect(talk.hear("starling-", milliseconds: 110) == nil && talk.deadline == 2_100)
            #expect(talk.hear("takeover 1\n", milliseconds: 120) == .give && talk.deadline == 120_120)
            #expect(talk.hear("rea", milliseconds: 130) == nil && talk.advance(milliseconds: 120_119) == nil)
            #expect(talk.hear("dy\n", milliseconds: 140) == .leave)
            #expect(talk.hear(nil, milliseconds: 150) == nil && talk.advance(milliseconds: 500_000) == nil)
        }

        @Test func whoFailsBeforeIsForgotten() {
            var talk = TakeoverOffering(milliseconds: 0)
            #expect(talk.hear(TakeoverTalk.greeting, milliseconds: 0) == .give)
            #expect(talk.hear(nil, milliseconds: 1) == .drop("it ended before it was ready"))
            var late = TakeoverOffering(milliseconds: 0)
            #expect(late.advance(milliseconds: 1_999) == nil)
            #expect(late.advance(milliseconds: 2_000) == .drop("it was not ready in time"))
            var other = TakeoverOffering(milliseconds: 0)
            #expect(other.hear("starling-takeover 2\n", milliseconds: 0) == .drop("it speaks in another way"))
            #expect(other.hear(TakeoverTalk.ready, milliseconds: 1) == nil, "it is over")
            var hasty = TakeoverOffering(milliseconds: 0)
            #expect(hasty.hear(TakeoverTalk.ready, milliseconds: 0) == .drop("it speaks in another way"))
            var curious = TakeoverOffering(milliseconds: 0)
            #expect(curious.hear(nil, milliseconds: 0) == .drop(""))
        }

        private func place(_ socket: String, port: Int, _ variables: [String: String] = [:]) -> TakeoverPlace {
            var settings = TakeoverSettings()
            settings.socket = socket
            return TakeoverPlace(settings, port: port, user: 7) { variables[$0] }
        }

        @Test func bothFindTheSamePlace() {
            #expect(place("none", port: 1) == .nowhere && place("auto", port: 0) == .nowhere)
            #expect(place("/run/t", port: 0) == .wanted("/run/t"))
            let variables = ["RUNTIME_DIRECTORY": "/run/starling:/run/b", "XDG_RUNTIME_DIR": "/run/user/7"]
            #expect(place("auto", port: 6_001, variables).path == "/run/starling/starling-takeover-6001.sock")
            #expect(
                place("auto", port: 6_001, ["XDG_RUNTIME_DIR": "/run/user/7"])
                    == .automatic("/run/user/7/starling-takeover-6001.sock", directory: nil))
            #expect(
                place("auto", port: 6_001)
                    == .automatic("/tmp/starling-7/starling-takeover-6001.sock", directory: "/tmp/starling-7"))
        }
    }

    @Suite("Whose last answers are missing") struct LastAnswersTests {
        @Test func allMustTellAfterTheyWereAsked() {
            let answers = LastAnswers(loops: 2)
            #expect(answers.waiting() == nil && !answers.isAsked(0))
            answers.begin(isDealing: false)
            #expect(!answers.isAsked(0), "its listeners may be open")
            answers.ask(0)
            answers.ask(1)
            #expect(answers.isAsked(0) && answers.waiting() == nil)
            answers.tell(0, waiting: 2)
            #expect(answers.waiting() == nil)
            answers.tell(1, waiting: 1)
            #expect(answers.waiting() == 3)
            answers.tell(0, waiting: 0)
            answers.tell(1, waiting: 0)
            #expect(answers.waiting() == 0 && answers.isAsked(0))
        }

        @Test func whereConnectionsAreDealtTheyTellTwice() {
            let answers = LastAnswers(loops: 2)
            answers.begin(isDealing: true)
            for loop in 0..<2 { answers.ask(loop) }
            for loop in 0..<2 { answers.tell(loop, waiting: 0) }
            #expect(answers.waiting() == nil && answers.waiting() == nil)
            answers.tell(0, waiting: 0)
            #expect(answers.waiting() == nil)
            answers.tell(1, waiting: 0)
            #expect(answers.waiting() == 0)
        }
    }
#endif
