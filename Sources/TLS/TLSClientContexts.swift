internal import COpenSSL
internal import Glibc
internal import Reactor

/// Files of a client (PEM), empty: none.
public struct TLSClientFiles: Sendable, Hashable {
    /// The authorities that are believed instead of the machine's.
    public var authority: String
    /// What we show who asks, with its chain below it, and its key.
    public var certificate: String
    public var key: String

    public init(authority: String = "", certificate: String = "", key: String = "") {
        (self.authority, self.certificate, self.key) = (authority, certificate, key)
    }

    var trust: TLSClientContext.Trust { authority.isEmpty ? .system : .authority(authority) }
    var own: TLSFiles? { certificate.isEmpty ? nil : TLSFiles(certificate: certificate, key: key) }

    /// What a context that was made of them depends on.
    var paths: [String] {
        (authority.isEmpty ? SystemTrust.paths : [authority]) + (certificate.isEmpty ? [] : [certificate, key])
    }
}

/// The contexts of one loop's clients, one for each choice of files, made anew when those have changed. Loop thread only; reads files there.
public final class TLSClientContexts {
    /// More choices than this are not remembered all at once.
    static let keptMax = 256

    private struct Kept {
        var context: TLSClientContext
        var stamps: [FileStamp?]
    }

    private var kept: [TLSClientFiles: Kept] = [:]

    public init() {}

    /// The context to begin a handshake with.
    /// - Throws: what is wrong with the files. Those that are half written, as one is replaced after the other, are read again next time.
    public func context(for files: TLSClientFiles) throws(TLSProblem) -> TLSClientContext {
        // Looked at before they are read: what changes in between is seen the next time.
        let stamps = files.paths.map(FileStamp.init)
        if let known = kept[files], known.stamps == stamps { return known.context }
        kept[files] = nil
        let context = try TLSClientContext(files.trust, own: files.own)
        if kept.count >= Self.keptMax { kept.removeAll() }
        kept[files] = Kept(context: context, stamps: stamps)
        return context
    }
}

@available(*, unavailable) extension TLSClientContexts: Sendable {}

/// The authorities of this machine.
///
/// OpenSSL looks where the one that it was built as has its own (`/usr/lib/ssl` of Debian), or where `SSL_CERT_FILE` and `SSL_CERT_DIR` say. The
/// static executable is built on one distribution and runs on others, so when nothing is there, it is looked where those have theirs.
enum SystemTrust {
    /// Each has all authorities: Debian, Arch, Alpine; Fedora; openSUSE; RHEL; FreeBSD's and Alpine's other one.
    static let bundles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
    ]

    /// - Returns: whether there are any.
    static func load(into context: OpaquePointer, bundles: [String] = bundles) -> Bool {
        defer { ERR_clear_error() }
        guard SSL_CTX_set_default_verify_paths(context) == 1 else { return false }
        if isFile(file) || holdsAuthorities(directory) { return true }
        // Whoever names a place means that one.
        guard !isChosen else { return false }
        return bundles.contains { SSL_CTX_load_verify_file(context, $0) == 1 }
    }

    /// What contexts that believe them depend on.
    static var paths: [String] { [file, directory] + (isChosen ? [] : bundles) }

    private static var isChosen: Bool {
        variable(X509_get_default_cert_file_env()) != nil || variable(X509_get_default_cert_dir_env()) != nil
    }

    private static var file: String {
        variable(X509_get_default_cert_file_env()) ?? String(cString: X509_get_default_cert_file())
    }

    private static var directory: String {
        variable(X509_get_default_cert_dir_env()) ?? String(cString: X509_get_default_cert_dir())
    }

    private static func variable(_ name: UnsafePointer<CChar>?) -> String? {
        guard let name, let value = getenv(name) else { return nil }
        return String(cString: value)
    }

    private static func isFile(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// They are found there by the hash of their names (`4042bcee.0`), without which they are none.
    private static func holdsAuthorities(_ directories: String) -> Bool {
        directories.split(separator: ":").contains { directory in
            DirectoryListing.names(in: String(directory))?.contains { $0.hasSuffix(".0") } == true
        }
    }
}
