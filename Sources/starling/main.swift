internal import BrokerServer
internal import Configuration
internal import Glibc

func say(_ text: String) { _ = text.withCString { write(2, $0, strlen($0)) } }

func readWhole(_ path: String) -> Result<[UInt8], Configuration.FileError> {
    let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return .failure(.init(text: String(cString: strerror(errno)))) }
    defer { if descriptor > 0 { close(descriptor) } }
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 { return .failure(.init(text: String(cString: strerror(errno)))) }
        if count == 0 { return .success(all) }
        all.append(contentsOf: buffer[..<count])
    }
}

var arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "version" { print("starling 0.1.0"); exit(0) }
if arguments.first == "serve" { arguments.removeFirst() }
var environment: [String: String] = [:]
var at = environ
while let entry = at.pointee {
    let text = String(cString: entry)
    if let equals = text.firstIndex(of: "=") {
        environment[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    at += 1
}
switch Configuration.load(arguments: arguments, environment: environment, readFile: readWhole) {
case .failure(let failure):
    say(failure.text)
    exit(failure.exitCode)
case .success(let configuration):
    do throws(Server.StartFailure) {
        let server = try Server(configuration.settings)
        print(
            Banner.text(
                configuration.settings, port: Int(server.port), loops: server.loopCount,
                webSocketsMax: server.webSocketsMax))
        let line = "{\"event\":\"ready\",\"port\":\(server.port),\"pid\":\(getpid())}\n"
        if !configuration.settings.readyFile.isEmpty, let file = fopen(configuration.settings.readyFile, "w") {
            fputs(line, file)
            fclose(file)
        }
        server.run()
    } catch {
        say("starling: " + error.text + "\n")
        exit(error.exitCode)
    }
}
