internal import Configuration
internal import Glibc
internal import TLS

/// `starling tls dev`, between the command line and who makes certificates.
enum DevelopmentCertificates {
    static func make(_ request: DevelopmentTLS) -> CommandOutput {
        let names = LocalNames.ownMachine.adding(LocalNames(hosts: request.hosts, addresses: request.addresses))
        do throws(TLSProblem) {
            let outcome = try LocalCertificates.ensure(
                names, in: absolute(request.directory), host: hostName, now: time(nil))
            return DevelopmentTLS.report(
                DevelopmentTLS.Outcome(
                    authority: outcome.files.authority, certificate: outcome.files.certificate, key: outcome.files.key,
                    isAuthorityNew: outcome.authority == .made, isCertificateNew: outcome.certificate == .made,
                    names: outcome.names.all, endsSeconds: outcome.endsSeconds))
        } catch {
            return DevelopmentTLS.failure(error.text)
        }
    }

    /// What is printed goes into variables and files that are read elsewhere.
    private static func absolute(_ directory: String) -> String {
        guard !directory.hasPrefix("/"), let here = getcwd(nil, 0) else { return directory }
        defer { free(here) }
        return String(cString: here) + "/" + directory
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "this machine" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
