internal import BrokerServer
internal import CBuild
internal import Configuration
internal import Glibc
internal import LoadGenerator

/// Raised with each release; `deploy/run` and the tests print it.
let build = BuildInformation(version: "0.1.0", commit: String(cString: starling_build_commit))

let request = CommandLineRequest.parse(
    arguments: Array(CommandLine.arguments.dropFirst()), environment: Surroundings.environment(), build: build,
    readFile: Surroundings.read)

switch request {
case .text(let output):
    Surroundings.write(output.standardOutput, to: STDOUT_FILENO)
    Surroundings.write(output.standardError, to: STDERR_FILENO)
    exit(output.exitCode)
case .health(let target):
    do throws(HealthCheck.Problem) {
        try HealthCheck.run(target)
        exit(0)
    } catch {
        Surroundings.write("starling health: \(error.text)\n", to: STDERR_FILENO)
        exit(error.exitCode)
    }
case .bench(let arguments):
    exit(LoadGenerator.main(arguments: arguments, commandLine: CommandLine.arguments, build: build.text))
case .serve(let configuration):
    do throws(Server.StartFailure) {
        let server = try Server(configuration)
        server.announce(version: build.version)
        let readyFile = configuration.settings.readyFile
        if let reason = Surroundings.announce(port: server.port, in: readyFile) {
            server.warn(ofFile: readyFile, reason)
        }
        server.run()
    } catch {
        Surroundings.write("starling: \(error.text)\n", to: STDERR_FILENO)
        exit(error.exitCode)
    }
}
