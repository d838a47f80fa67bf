#if DEBUG
    @testable import BrokerServer
    import Glibc
    import Reactor
    import Testing

    @Suite("Where to listen") struct ListenPlanTests {
        struct Row: CustomTestStringConvertible {
            let hosts: [String]
            let isDefaultApp: Bool
            let isContainer: Bool
            let bound: [String]
            let isLoopback: Bool
            var testDescription: String { "\(hosts), built-in app \(isDefaultApp), container \(isContainer)" }
        }

        static let loopback = ["127.0.0.1", "::1"]
        static let rows = [
            Row(hosts: ["auto"], isDefaultApp: true, isContainer: false, bound: loopback, isLoopback: true),
            Row(hosts: ["auto"], isDefaultApp: true, isContainer: true, bound: ["::"], isLoopback: false),
            Row(hosts: ["auto"], isDefaultApp: false, isContainer: false, bound: ["::"], isLoopback: false),
            Row(hosts: ["auto"], isDefaultApp: false, isContainer: true, bound: ["::"], isLoopback: false),
            Row(hosts: ["localhost"], isDefaultApp: false, isContainer: true, bound: loopback, isLoopback: true),
            Row(hosts: ["0.0.0.0"], isDefaultApp: true, isContainer: false, bound: ["0.0.0.0"], isLoopback: false),
            Row(
                hosts: ["auto", "10.0.0.1"], isDefaultApp: true, isContainer: false, bound: loopback + ["10.0.0.1"],
                isLoopback: false),
            Row(
                hosts: ["127.0.0.1", "localhost"], isDefaultApp: false, isContainer: false, bound: loopback,
                isLoopback: true),
            Row(
                hosts: ["127.0.0.1", "::", "10.0.0.1", "::1"], isDefaultApp: false, isContainer: false, bound: ["::"],
                isLoopback: false),
            Row(
                hosts: ["127.0.0.1", "0.0.0.0", "::1"], isDefaultApp: false, isContainer: false,
                bound: ["0.0.0.0", "::1"], isLoopback: false),
            Row(hosts: ["0.0.0.0", "::"], isDefaultApp: false, isContainer: false, bound: ["::"], isLoopback: false),
            Row(
                hosts: ["unix:/run/s.sock?mode=0600", "127.0.0.1"], isDefaultApp: false, isContainer: false,
                bound: ["127.0.0.1"], isLoopback: true),
            Row(hosts: ["unix:/run/s.sock"], isDefaultApp: true, isContainer: false, bound: [], isLoopback: true),
            Row(hosts: ["127.0.0.7"], isDefaultApp: true, isContainer: false, bound: ["127.0.0.7"], isLoopback: true),
        ]

        @Test(arguments: rows) func hosts(_ row: Row) {
            let plan = ListenPlan(hosts: row.hosts, isDefaultApp: row.isDefaultApp, isContainer: row.isContainer)
            #expect(plan.hosts == row.bound)
            #expect(plan.isLoopback == row.isLoopback)
        }

        /// A machine: what binding a host there answers. Ports are chosen from `free` on.
        struct Machine {
            var errors: [String: CInt] = [:]
            var taken: Set<String> = []
            var free: UInt16 = 40_000
            var asked: [String] = []

            mutating func listen(_ host: String, _ port: UInt16) throws(IOError) -> (socket: String, port: UInt16) {
                asked.append("\(host) \(port)")
                if let code = errors[host] { throw IOError(call: "listen on \(host)", code: code) }
                let chosen = port == 0 ? free : port
                if port == 0 { free += 1 }
                if taken.contains("\(host) \(chosen)") { throw IOError(call: "listen on \(host)", code: EADDRINUSE) }
                return (host, chosen)
            }
        }

        private func bind(_ hosts: String..., machine: inout Machine, port: UInt16 = 6_001, isDefaultApp: Bool = true)
            throws(IOError) -> ListenPlan.Bound<String>
        {
            let plan = ListenPlan(hosts: hosts, isDefaultApp: isDefaultApp, isContainer: false)
            var copy = machine
            defer { machine = copy }
            return try plan.bind(port: port) { (host: String, port: UInt16) throws(IOError) in
                try copy.listen(host, port)
            }
        }

        @Test(arguments: [EAFNOSUPPORT, EADDRNOTAVAIL]) func withoutIPv6IPv4Serves(code: CInt) throws {
            var machine = Machine(errors: ["::1": code, "::": code])
            let local = try bind("auto", machine: &machine)
            #expect(local.sockets.map(\.host) == ["127.0.0.1"] && local.missing.map(\.host) == ["::1"])
            let everywhere = try bind("auto", machine: &machine, isDefaultApp: false)
            #expect(everywhere.sockets.map(\.host) == ["0.0.0.0"] && everywhere.missing.map(\.host) == ["::"])
        }

        @Test func pathsAreListenedOnBesideAddresses() {
            let plan = ListenPlan(
                hosts: ["unix:/run/s.sock?mode=0600", "::1", "unix:/run/t.sock"], isDefaultApp: false,
                isContainer: false)
            #expect(plan.paths == [.init(path: "/run/s.sock", mode: 0o600), .init(path: "/run/t.sock", mode: 0o660)])
            #expect(plan.text == "::1 and unix:/run/s.sock and unix:/run/t.sock")
        }

        @Test func eachHostIsBoundToTheSamePort() throws {
            var machine = Machine(taken: ["10.0.0.2 40000"])
            let bound = try bind("10.0.0.1", "10.0.0.2", machine: &machine, port: 0)
            #expect(bound.port == 40_001 && bound.sockets.map(\.host) == ["10.0.0.1", "10.0.0.2"])
            #expect(machine.asked.suffix(2) == ["10.0.0.1 0", "10.0.0.2 40001"])
        }

        @Test func oneOfSeveralHostsThatIsMissingIsAnError() {
            var machine = Machine(errors: ["10.0.0.2": EADDRNOTAVAIL])
            #expect(throws: IOError.self) { try bind("127.0.0.1", "10.0.0.2", machine: &machine) }
        }

        @Test func whoAsksForBothFamiliesGetsTheOneThereIs() throws {
            var machine = Machine(errors: ["::": EAFNOSUPPORT])
            let bound = try bind("0.0.0.0", "::", machine: &machine)
            #expect(bound.sockets.map(\.host) == ["0.0.0.0"] && bound.missing.map(\.host) == ["::"])
            #expect(throws: IOError.self) { try bind("::", machine: &machine) }
        }

        @Test func anAddressThatWasAskedForMustBeThere() {
            var machine = Machine(errors: ["::1": EADDRNOTAVAIL])
            #expect(throws: IOError.self) { try bind("::1", machine: &machine) }
        }

        @Test func aTakenPortIsAnErrorOnEveryAddress() {
            for host in ["127.0.0.1", "::1"] {
                var machine = Machine(taken: ["\(host) 6001"])
                #expect(throws: IOError(call: "listen on \(host)", code: EADDRINUSE)) {
                    try bind("auto", machine: &machine)
                }
                #expect(machine.asked.count { $0 == "\(host) 6001" } == 1, "a port that was asked for is tried once")
            }
            var machine = Machine(taken: [":: 6001"])
            #expect(throws: IOError.self) { try bind("auto", machine: &machine, isDefaultApp: false) }
        }

        @Test func aChosenPortIsChosenAgainWhenTheOtherFamilyHasItTaken() throws {
            var machine = Machine(taken: ["::1 40000", "::1 40001"])
            let bound = try bind("auto", machine: &machine, port: 0)
            #expect(bound.port == 40_002 && bound.sockets.map(\.host) == ["127.0.0.1", "::1"])
            #expect(machine.asked.last == "::1 40002")
            var full = Machine(taken: Set((40_000...UInt16(40_100)).map { "::1 \($0)" }))
            #expect(throws: IOError.self) { try bind("auto", machine: &full, port: 0) }
        }

        @Test func aMachineWithoutAnyAddressSaysWhy() {
            var machine = Machine(errors: ["127.0.0.1": EADDRNOTAVAIL, "::1": EADDRNOTAVAIL])
            #expect(throws: IOError(call: "listen on 127.0.0.1", code: EADDRNOTAVAIL)) {
                try bind("auto", machine: &machine)
            }
        }
    }

    @Suite("Signs of a container") struct ContainerSignsTests {
        private func signs(
            variables: [String: String] = [:], files: Set<String> = [], groups: String? = "0::/init.scope\n"
        ) -> Bool {
            ContainerSigns(
                variable: { variables[$0] }, exists: { files.contains($0) },
                read: { $0 == "/proc/self/cgroup" ? groups : nil }
            ).isContainer
        }

        @Test func eachSignIsEnoughAndNoneIsNone() {
            #expect(!signs() && !signs(groups: nil) && !signs(groups: "0::/user.slice/user-1000.slice\n"))
            #expect(!signs(variables: ["container": "", "KUBERNETES_PORT": "x"], files: ["/run/containerenv"]))
            #expect(signs(variables: ["KUBERNETES_SERVICE_HOST": "10.0.0.1"]))
            #expect(signs(variables: ["container": "podman"]))
            #expect(signs(files: ["/.dockerenv"]))
            #expect(signs(files: ["/run/.containerenv"]))
            for name in ["/docker/3f", "/kubepods.slice/x", "/system.slice/containerd.service", "/libpod-3f", "/lxc/a"]
            {
                #expect(signs(groups: "1:cpu:\(name)\n"))
            }
        }
    }

    @Suite("A request's line in the log") struct RequestWordsTests {
        private func words(_ head: String) -> String {
            let words = RequestWords(Array(head.utf8).span)
            return "\(words.method)|\(words.path)"
        }

        @Test func theQueryIsLeftOutAndLongPathsAreCut() {
            #expect(words("POST /apps/1/events?auth_key=k&auth_signature=s HTTP/1.1\r\n") == "POST|/apps/1/events")
            #expect(words("GET / HTTP/1.1\r\n\r\n") == "GET|/")
            #expect(words("GET") == "GET|")
            #expect(words("GET /\(String(repeating: "x", count: 9_000))?secret HTTP/1.1\r\n").utf8.count == 4 + 256)
        }
    }
#endif
