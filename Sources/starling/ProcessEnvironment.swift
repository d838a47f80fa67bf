internal import BrokerServer
internal import Configuration
internal import Glibc
internal import Reactor

/// What the executable takes from the process around it, and gives to it.
enum ProcessEnvironment {
    /// The process's variables.
    static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            next += 1
            let text = String(cString: entry)
            guard let equals = text.firstIndex(of: "=") else { continue }
            variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return variables
    }

    /// A whole file, or the names in a directory; `-` is standard input.
    static func read(_ path: String) -> Result<[UInt8], LoadedSettings.FileError> {
        do throws(IOError) { return .success(try WholeFile.read(path)) } catch {
            let entries = error.code == EISDIR ? DirectoryListing.names(in: path) : nil
            return .failure(LoadedSettings.FileError(text: IOError.text(error.code), entries: entries))
        }
    }

    /// Whether what is printed goes to a terminal whose user did not ask for no colour (`NO_COLOR`, https://no-color.org).
    static var wantsColor: Bool {
        isatty(STDOUT_FILENO) == 1 && (environment()["NO_COLOR"] ?? "").isEmpty && environment()["TERM"] != "dumb"
    }

    /// Writes all of a text, or as much as the reader wants.
    static func write(_ text: String, to descriptor: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Tells a supervisor or a test where the server listens: one JSON line, complete as soon as the file is there.
    /// - Returns: why it could not.
    static func announce(_ server: Server, in path: String) -> String? {
        guard !path.isEmpty else { return nil }
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        let others = [("tlsPort", server.tlsPort), ("metricsPort", server.metricsPort)]
            .compactMap { name, port in port.map { ",\"\(name)\":\($0)" } }.joined()
        write("{\"event\":\"ready\",\"port\":\(server.port)\(others),\"pid\":\(getpid())}\n", to: descriptor)
        close(descriptor)
        return rename(temporary, path) == 0 ? nil : String(cString: strerror(errno))
    }
}
