#if DEBUG
    @testable import BrokerServer
    import Glibc
    import Reactor
    import Testing

    @Suite("Where to listen") struct ListenPlanTests {
        struct Row: CustomTestStringConvertible {
            let host: String
            let isDefaultApp: Bool
            let isContainer: Bool
            let hosts: [String]
            let isLoopback: Bool
            var testDescription: String { "\(host), built-in app \(isDefaultApp), container \(isContainer)" }
        }

        static let loopback = ["127.0.0.1", "::1"]
        static let rows = [
            Row(host: "auto", isDefaultApp: true, isContainer: false, hosts: loopback, isLoopback: true),
            Row(host: "auto", isDefaultApp: true, isContainer: true, hosts: ["::"], isLoopback: false),
            Row(host: "auto", isDefaultApp: false, isContainer: false, hosts: ["::"], isLoopback: false),
            Row(host: "auto", isDefaultApp: false, isContainer: true, hosts: ["::"], isLoopback: false),
            Row(host: "localhost", isDefaultApp: false, isContainer: true, hosts: loopback, isLoopback: true),
            Row(host: "0.0.0.0", isDefaultApp: true, isContainer: false, hosts: ["0.0.0.0"], isLoopback: false),
            Row(host: "127.0.0.7", isDefaultApp: true, isContainer: false, hosts: ["127.0.0.7"], isLoopback: true),
        ]

        @Test(arguments: rows) func hosts(_ row: Row) {
            let plan = ListenPlan(host: row.host, isDefaultApp: row.isDefaultApp, isContainer: row.isContainer)
            #expect(plan.hosts == row.hosts)
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

        private func bind(_ host: String, _ machine: inout Machine, port: UInt16 = 6_001, isDefaultApp: Bool = true)
            throws(IOError) -> ListenPlan.Bound<String>
        {
            let plan = ListenPlan(host: host, isDefaultApp: isDefaultApp, isContainer: false)
            var copy = machine
            defer { machine = copy }
            return try plan.bind(port: port) { (host: String, port: UInt16) throws(IOError) in
                try copy.listen(host, port)
            }
        }

        @Test(arguments: [EAFNOSUPPORT, EADDRNOTAVAIL]) func withoutIPv6IPv4Serves(code: CInt) throws {
            var machine = Machine(errors: ["::1": code, "::": code])
            let local = try bind("auto", &machine)
            #expect(local.sockets.map(\.host) == ["127.0.0.1"] && local.missing.map(\.host) == ["::1"])
            let everywhere = try bind("auto", &machine, isDefaultApp: false)
            #expect(everywhere.sockets.map(\.host) == ["0.0.0.0"] && everywhere.missing.map(\.host) == ["::"])
        }

        @Test func anAddressThatWasAskedForMustBeThere() {
            var machine = Machine(errors: ["::1": EADDRNOTAVAIL])
            #expect(throws: IOError.self) { try bind("::1", &machine) }
        }

        @Test func aTakenPortIsAnErrorOnEveryAddress() {
            for host in ["127.0.0.1", "::1"] {
                var machine = Machine(taken: ["\(host) 6001"])
                #expect(throws: IOError(call: "listen on \(host)", code: EADDRINUSE)) { try bind("auto", &machine) }
                #expect(machine.asked.count { $0 == "\(host) 6001" } == 1, "a port that was asked for is tried once")
            }
            var machine = Machine(taken: [":: 6001"])
            #expect(throws: IOError.self) { try bind("auto", &machine, isDefaultApp: false) }
        }

        @Test func aChosenPortIsChosenAgainWhenTheOtherFamilyHasItTaken() throws {
            var machine = Machine(taken: ["::1 40000", "::1 40001"])
            let bound = try bind("auto", &machine, port: 0)
            #expect(bound.port == 40_002 && bound.sockets.map(\.host) == ["127.0.0.1", "::1"])
            #expect(machine.asked.last == "::1 40002")
            var full = Machine(taken: Set((40_000...UInt16(40_100)).map { "::1 \($0)" }))
            #expect(throws: IOError.self) { try bind("auto", &full, port: 0) }
        }

        @Test func aMachineWithoutAnyAddressSaysWhy() {
            var machine = Machine(errors: ["127.0.0.1": EADDRNOTAVAIL, "::1": EADDRNOTAVAIL])
            #expect(throws: IOError(call: "listen on 127.0.0.1", code: EADDRNOTAVAIL)) { try bind("auto", &machine) }
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
