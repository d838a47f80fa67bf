import COpenSSL
import Glibc
import Reactor
@testable import TLS

/// Certificates and keys made for a test, as files of a directory that goes with the value.
final class Certificates {
    let directory: String

    init() {
        var template = Array("/tmp/starling-tls-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { name in
            guard let base = name.baseAddress, let made = mkdtemp(base) else {
                preconditionFailure("a test may make a directory")
            }
            return String(cString: made)
        }
    }

    deinit {
        for file in files { unlink("\(directory)/\(file)") }
        rmdir(directory)
    }

    private var files: Set<String> = []

    func path(_ name: String) -> String {
        files.insert(name)
        return "\(directory)/\(name)"
    }

    func write(_ name: String, _ text: String) -> String {
        let path = path(name)
        guard let file = fopen(path, "w") else { preconditionFailure("a test may write into its directory") }
        fputs(text, file)
        fclose(file)
        return path
    }

    /// A certificate that vouches for itself, and its key.
    /// - Parameters:
    ///   - names: as OpenSSL writes them: `DNS:localhost,IP:127.0.0.1`.
    ///   - passphrase: what the key is encrypted with.
    func make(
        _ name: String, names: String = "DNS:localhost,IP:127.0.0.1", from startSeconds: Int = -3_600,
        seconds: Int = 90 * 86_400,
        passphrase: String? = nil, bits: Int? = nil
    ) -> TLSFiles {
        let key = bits.map { Self.rsa($0) } ?? copenssl_new_key()
        guard let key, let certificate = X509_new() else { preconditionFailure("OpenSSL makes keys") }
        defer {
            X509_free(certificate)
            EVP_PKEY_free(key)
        }
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...1 << 40))
        X509_gmtime_adj(X509_getm_notBefore(certificate), startSeconds)
        X509_gmtime_adj(X509_getm_notAfter(certificate), seconds)
        X509_set_pubkey(certificate, key)
        let subject = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0)
        X509_set_issuer_name(certificate, subject)
        if let extra = X509V3_EXT_conf_nid(nil, nil, NID_subject_alt_name, names) {
            X509_add_ext(certificate, extra, -1)
            X509_EXTENSION_free(extra)
        }
        X509_sign(certificate, key, EVP_sha256())
        let files = TLSFiles(
            certificate: path("\(name).crt"), key: path("\(name).key"),
            passphrase: passphrase.map { write("\(name).pass", $0 + "\n") } ?? "")
        Self.output(files.certificate) { PEM_write_bio_X509($0, certificate) }
        Self.output(files.key) { out in
            guard let passphrase else { return PEM_write_bio_PKCS8PrivateKey(out, key, nil, nil, 0, nil, nil) }
            return passphrase.withCString {
                PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_256_cbc(), $0, CInt(passphrase.utf8.count), nil, nil)
            }
        }
        return files
    }

    private static func output(_ path: String, _ body: (OpaquePointer?) -> CInt) {
        let out = BIO_new_file(path, "w")
        precondition(body(out) == 1, "OpenSSL writes PEM")
        BIO_free(out)
    }

    private static func rsa(_ bits: Int) -> OpaquePointer? {
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_rsa_keygen_bits(context, CInt(bits))
        EVP_PKEY_keygen(context, &key)
        return key
    }
}

/// A client's and a server's layer, and the bytes between them, carried by the test.
final class Line {
    let (client, server): (TLSLayer, TLSLayer)
    /// What was opened on each side; and how the last `open` ended.
    private(set) var (clientHeard, serverHeard): ([UInt8], [UInt8]) = ([], [])
    private(set) var (clientSaw, serverSaw): (RecordOpening, RecordOpening) = (.needsInput, .needsInput)

    init(_ client: TLSLayer, _ server: TLSLayer) { (self.client, self.server) = (client, server) }

    convenience init(
        _ keeper: TLSKeeper, _ room: TLSRoom? = nil, client: TLSClientContext? = nil, host: String? = "localhost"
    ) throws {
        let room = room ?? TLSRoom(keeper)
        let context = try client ?? TLSClientContext(.anybody)
        guard let one = TLSLayer(connecting: context, to: host, in: room), let other = room.accept() else {
            preconditionFailure("there is memory")
        }
        self.init(one, other)
    }

    var isEstablished: Bool { client.isEstablished && server.isEstablished }

    /// Takes everything that a layer wants to send.
    static func take(_ layer: TLSLayer, piece: Int = .max) -> [UInt8] {
        var taken: [UInt8] = []
        while layer.outgoingCount > 0 {
            let shown = layer.outgoing.prefix(piece)
            taken += shown
            layer.sent(shown.count)
        }
        return taken
    }

    /// Opens all that was fed.
    static func open(_ layer: TLSLayer, into heard: inout [UInt8], room: Int = 32_768) -> RecordOpening {
        var buffer = [UInt8](repeating: 0, count: room)
        while true {
            let answer = buffer.withUnsafeMutableBytes { layer.open(into: $0) }
            guard case .bytes(let count) = answer else { return answer }
            heard += buffer[..<count]
        }
    }

    static func feed(_ layer: TLSLayer, _ bytes: some Collection<UInt8>) {
        Array(bytes).withUnsafeBytes { layer.feed($0) }
    }

    func openServer() { serverSaw = Self.open(server, into: &serverHeard) }
    func openClient() { clientSaw = Self.open(client, into: &clientHeard) }

    /// Carries everything both ways until nobody has anything to say.
    func settle() {
        openClient()
        while client.outgoingCount + server.outgoingCount > 0 {
            Self.feed(server, Self.take(client))
            openServer()
            Self.feed(client, Self.take(server))
            openClient()
        }
    }

    /// Seals all of it.
    static func say(_ layer: TLSLayer, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { layer.seal($0) }
            if count == 0 { return }
            rest = rest.dropFirst(count)
        }
    }
}
