internal import BrokerServer
internal import Configuration
internal import Glibc
internal import LoadGenerator

/// Raised with each release; `deploy/run` and the tests print it.
let build = BuildInformation(version: "0.1.0")

/// The configuration does not outlive the start: of many apps it is as large as all that the broker keeps of them.
func serve(_ configuration: consuming Configuration) {
    Surroundings.write(configuration.warningText, to: STDERR_FILENO)
    let readyFile = configuration.settings.readyFile
    do throws(Server.StartFailure) {
        let server = try Server(configuration.settings)
        Surroundings.write(server.banner, to: STDOUT_FILENO)
        Surroundings.announce(port: server.port, in: readyFile)
        server.run()
    } catch {
        Surroundings.write("starling: \(error.text)\n", to: STDERR_FILENO)
        exit(error.exitCode)
    }
}

/// In a function, because what a variable of the main file holds is held to the end.
func main() {
    switch CommandLineRequest.parse(
        arguments: Array(CommandLine.arguments.dropFirst()), environment: Surroundings.environment(), build: build,
        readFile: Surroundings.read)
    {
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
        exit(LoadGenerator.main(arguments: arguments, commandLine: CommandLine.arguments))
    case .serve(let configuration): serve(configuration)
    }
}

main()
