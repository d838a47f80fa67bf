/// `starling bench`: puts load on a Pusher-speaking server, and reports what it did and what it cost.
public enum LoadGenerator {
    /// Runs one command to its end. Blocks; call it on the main thread.
    /// - Parameters:
    ///   - arguments: what follows `bench`.
    ///   - commandLine: the whole command, recorded in the report.
    /// - Returns: the exit code: 0 fine, 1 a service level was missed or the run failed, 2 wrong arguments.
    public static func main(arguments: [String], commandLine: [String]) -> Int32 {
        if arguments.first == "histogram" { return HistogramCommand.run(Array(arguments.dropFirst())) }
        Files.complain("unknown scenario")
        return 2
    }
}
