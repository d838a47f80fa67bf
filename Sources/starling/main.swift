internal import BrokerServer
internal import CBuild
internal import Configuration
internal import Glibc
internal import LoadGenerator
internal import Reactor

/// Raised with each release; `deploy/run` and the tests print it.
let build = BuildInformation(version: "0.1.0", commit: String(cString: starling_build_commit))

/// The configuration does not outlive the start: of many apps it is as large as all that the broker keeps of them.
func serve(_ configuration: consuming LoadedSettings) {
    let (readyFile, source) = (configuration.settings.readyFile, configuration.source)
    do throws(Server.StartFailure) {
        let server = try Server(configuration, build: build) { source.load(readFile: ProcessEnvironment.read) }
        server.announce(version: build.version)
        if let reason = ProcessEnvironment.announce(server, in: readyFile) {
            server.warn(ofFile: readyFile, reason)
        }
        server.run()
    } catch {
        ProcessEnvironment.write("starling: \(error.text)\n", to: STDERR_FILENO)
        exit(error.exitCode)
    }
}

/// In a function, because what a variable of the main file holds is held to the end.
func main() {
    // Whoever starts us may have closed one: its number must not go to a client, who would get the log.
    StandardStreams.open()
    switch CommandLineRequest.parse(
        arguments: Array(CommandLine.arguments.dropFirst()), environment: ProcessEnvironment.environment(),
        build: build,
        readFile: ProcessEnvironment.read)
    {
    case .text(let output):
        ProcessEnvironment.write(output.standardOutput, to: STDOUT_FILENO)
        ProcessEnvironment.write(output.standardError, to: STDERR_FILENO)
        exit(output.exitCode)
    case .health(let target):
        do throws(HealthCheck.Problem) {
            try HealthCheck.run(target)
            exit(0)
        } catch {
            ProcessEnvironment.write("starling health: \(error.text)\n", to: STDERR_FILENO)
            exit(error.exitCode)
        }
    case .reload(let target):
        do throws(ReloadCommand.Problem) {
            ProcessEnvironment.write(try ReloadCommand.run(target), to: STDOUT_FILENO)
            exit(0)
        } catch {
            ProcessEnvironment.write("starling reload: \(error.text)", to: STDERR_FILENO)
            exit(error.exitCode)
        }
    case .webhooks(let inquiry):
        do throws(WebhooksCommand.Problem) {
            let output = try WebhooksCommand.run(inquiry, isColored: ProcessEnvironment.wantsColor)
            ProcessEnvironment.write(output.text, to: STDOUT_FILENO)
            exit(output.exitCode)
        } catch {
            ProcessEnvironment.write("starling webhooks: \(error.text)\n", to: STDERR_FILENO)
            exit(error.exitCode)
        }
    case .developmentTLS(let request):
        let output = DevelopmentCertificates.make(request)
        ProcessEnvironment.write(output.standardOutput, to: STDOUT_FILENO)
        ProcessEnvironment.write(output.standardError, to: STDERR_FILENO)
        exit(output.exitCode)
    case .bench(let arguments):
        exit(BenchCommand.run(arguments: arguments, commandLine: CommandLine.arguments, build: build.text))
    case .serve(let configuration): serve(configuration)
    }
}

main()
