internal import Reactor
internal import TLS

/// `starling bench`: puts load on a Pusher-speaking server, and reports what it did and what it cost.
public enum BenchCommand {
    /// Runs one command to its end. Blocks; call it on the main thread.
    /// - Parameters:
    ///   - arguments: what follows `bench`.
    ///   - commandLine: the whole command, recorded in the report.
    ///   - build: the generator's version and commit, likewise.
    /// - Returns: the exit code: 0 fine, 1 a service level was missed or the run failed or proves nothing, 2 wrong arguments.
    public static func run(arguments: [String], commandLine: [String], build: String) -> Int32 {
        if arguments.first == "histogram" { return HistogramCommand.run(Array(arguments.dropFirst())) }
        switch OptionParser.parse(arguments) {
        case .help(let text):
            Files.print(text)
            return 0
        case .wrong(let text):
            Files.complain(text)
            return 2
        case .run(let options): return run(options, commandLine: OptionParser.withoutSecret(commandLine), build: build)
        }
    }

    private static func run(_ options: Options, commandLine: [String], build: String) -> Int32 {
        let address: PeerAddress
        do throws(HostAddress.Unknown) {
            address = try HostAddress.find(options.host, port: UInt16(clamping: options.port))
        } catch {
            Files.complain("--host: \(error.text)")
            return 2
        }
        let tls: TLSClientContext?
        do throws(TLSProblem) {
            tls = try options.trust.map { (trust: TLSClientContext.Trust) throws(TLSProblem) in
                try TLSClientContext(trust)
            }
        } catch {
            Files.complain("--tls-ca: \(error.text)")
            return 2
        }
        let plan = Plan.make(options, address: address, tls: tls)
        do throws(Conductor.Failure) {
            let conductor = try Conductor(options, plan: plan, commandLine: commandLine, build: build)
            defer { conductor.stop() }
            try conductor.run()
            conductor.clearProgress()
            Files.print(conductor.report.text)
            let problems = conductor.report.writeFiles()
            for problem in problems { Files.complain(problem) }
            return conductor.report.hasFailed || !problems.isEmpty ? 1 : 0
        } catch {
            Files.complain(error.text)
            return 1
        }
    }
}
