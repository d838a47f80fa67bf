/// `starling bench`: puts load on a Pusher-speaking server, and reports what it did and what it cost.
public enum LoadGenerator {
    /// Runs one command to its end. Blocks; call it on the main thread.
    /// - Parameters:
    ///   - arguments: what follows `bench`.
    ///   - commandLine: the whole command, recorded in the report.
    /// - Returns: the exit code: 0 fine, 1 a service level was missed or the run failed or proves nothing, 2 wrong arguments.
    public static func main(arguments: [String], commandLine: [String]) -> Int32 {
        if arguments.first == "histogram" { return HistogramCommand.run(Array(arguments.dropFirst())) }
        switch OptionParser.parse(arguments) {
        case .help(let text):
            Files.print(text)
            return 0
        case .wrong(let text):
            Files.complain(text)
            return 2
        case .run(let options): return run(options, commandLine: commandLine)
        }
    }

    private static func run(_ options: Options, commandLine: [String]) -> Int32 {
        guard let plan = Plan.make(options) else {
            Files.complain("--host must be an IP address or localhost")
            return 2
        }
        do throws(Conductor.Failure) {
            let conductor = try Conductor(options, plan: plan, commandLine: commandLine)
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
