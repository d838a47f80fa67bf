import Arguments
internal import Wire

/// `starling tls dev`: for whom a certificate is wanted, and where. Who makes it is another module.
public struct DevelopmentTLS: Sendable, Equatable {
    /// Lower-case host names, each once; `*.app.test` among them.
    public internal(set) var hosts: [String] = []
    /// 4 or 16 bytes each.
    public internal(set) var addresses: [[UInt8]] = []
    public internal(set) var directory = ""

    /// In one certificate.
    static let namesMax = 100

    /// What was found or made.
    public struct Outcome: Sendable {
        public var authority, certificate, key: String
        public var isAuthorityNew, isCertificateNew: Bool
        /// What the certificate is for.
        public var names: [String]
        /// Unix time.
        public var endsSeconds: Int

        public init(
            authority: String, certificate: String, key: String, isAuthorityNew: Bool, isCertificateNew: Bool,
            names: [String], endsSeconds: Int
        ) {
            (self.authority, self.certificate, self.key) = (authority, certificate, key)
            (self.isAuthorityNew, self.isCertificateNew) = (isAuthorityNew, isCertificateNew)
            (self.names, self.endsSeconds) = (names, endsSeconds)
        }
    }

    // MARK: Names

    /// - Returns: what is wrong with it, as a sentence.
    mutating func add(_ text: String) -> String? {
        guard hosts.count + addresses.count < Self.namesMax else { return "more than \(Self.namesMax) names" }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? text.dropFirst().dropLast() : text[...]
        if let address = IPAddress(bare) {
            if !addresses.contains(address.bytes) { addresses.append(address.bytes) }
            return nil
        }
        if let fault = Self.fault(of: text) { return "\(text.quoted) \(fault)" }
        let host = (text.hasSuffix(".") ? String(text.dropLast()) : text).lowercased()
        if !hosts.contains(host) { hosts.append(host) }
        return nil
    }

    /// Labels of RFC 1123 §2.1, and `_`, which developers use.
    private static func fault(of text: String) -> String? {
        if text.holds("://") || text.contains("/") { return "is a URL; give its host alone" }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return "is not ASCII; give the form that begins with xn--" }
        var labels = text.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        if labels.last == "", labels.count > 1 { labels.removeLast() }
        if labels.first == "*" {
            labels.removeFirst()
            guard labels.count > 1 else {
                return "stands for too much: clients take *.NAME.NAME, and no wildcard above it"
            }
        }
        if labels.last?.contains(":") == true { return "has a port, and a certificate is for all; give the host alone" }
        let isLegal = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                    default: false
                    }
                }
        }
        // What ends in a number is an address to a browser (WHATWG URL §3.5).
        let isNumber = labels.last?.utf8.allSatisfy { (0x30...0x39).contains($0) } ?? false
        return isLegal && !isNumber && text.utf8.count <= 253 ? nil : "is neither a host name nor an address"
    }

    // MARK: What is printed

    public static func failure(_ text: String) -> CommandOutput {
        CommandOutput(exitCode: ExitCode.failure, standardOutput: "", standardError: "starling tls dev: \(text)\n")
    }

    public static func report(_ made: Outcome) -> CommandOutput {
        let day = CivilTime(unixSeconds: made.endsSeconds)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
        let ends = "\(day.year)-\(two(day.month))-\(two(day.day))"
        let names = made.names.map { IPAddress($0)?.description ?? $0 }.joined(separator: ", ")
        let authority = shellWord(made.authority)
        return .success(
            """
            Authority    \(made.authority) (\(made.isAuthorityNew ? "new: trust it, see below" : "kept"))
            Certificate  \(made.certificate) (\(made.isCertificateNew ? "new" : "kept"), until \(ends))
            Key          \(made.key)
            For          \(names)

            Start the broker:
              starling serve --tls-certificate \(shellWord(made.certificate)) --tls-key \(shellWord(made.key))

            Trust the authority, once:
              Debian    sudo cp \(authority) /usr/local/share/ca-certificates/starling-development.crt
                        sudo update-ca-certificates
              Fedora    sudo cp \(authority) /etc/pki/ca-trust/source/anchors/starling-development.pem
                        sudo update-ca-trust
              macOS     sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain \(authority)
              Chrome    on Linux: certutil -A -d sql:"$HOME/.pki/nssdb" -n "Starling development" -t C,, -i \(authority)
              Firefox   Settings, Privacy & Security, View Certificates, Authorities, Import; or with its profile's directory
                        certutil -A -d sql:PROFILE -n "Starling development" -t C,, -i \(authority)
              Node      export NODE_EXTRA_CA_CERTS=\(authority)
              Python    export SSL_CERT_FILE=\(authority) (requests: REQUESTS_CA_BUNDLE)
              PHP       php -d openssl.cafile=\(authority) -d curl.cainfo=\(authority) …

            Keep ca-key.pem to yourself: who has it can pass for these names, and for localhost, *.test, *.local and private
            addresses, to whoever trusts the authority. It cannot sign for any other name.

            """)
    }

    /// As a shell takes it.
    private static func shellWord(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "/._-+@%".utf8.contains(byte)
            }
        }
        return isPlain
            ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

extension Commands {
    /// `tls dev [NAME…] [--directory D]`.
    func tls(_ arguments: [String]) -> CommandLineRequest {
        switch arguments.first {
        case "dev"?: return developmentTLS(Array(arguments.dropFirst()))
        case "--help"?, "-h"?: return .text(.success(HelpText.tls))
        case let name?:
            return .text(.usage("unknown command tls \(name.quoted)\(NearestName.hint(name, in: ["dev"], quote: ""))"))
        case nil: return .text(.usage("tls needs a command: dev"))
        }
    }

    private func developmentTLS(_ arguments: [String]) -> CommandLineRequest {
        let flags = FlagParser.parse(arguments, extra: ["directory": true], onlyExtra: true)
        if flags.value("help") != nil { return .text(.success(HelpText.tls)) }
        if let problem = flags.problems.all.first { return .text(.usage(problem.description)) }
        var request = DevelopmentTLS(directory: flags.value("directory")?.value ?? standardDirectory)
        while request.directory.count > 1, request.directory.hasSuffix("/") { request.directory.removeLast() }
        guard !request.directory.isEmpty else { return .text(.usage("flag --directory: must not be empty")) }
        for name in flags.positionals {
            if let fault = request.add(name) { return .text(.usage(fault)) }
        }
        return .developmentTLS(request)
    }

    /// One for all projects of a user, so that one authority is trusted (XDG Base Directory Specification).
    private var standardDirectory: String {
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return data + "/starling/tls" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.local/share/starling/tls" }
        return "starling-tls"
    }
}
