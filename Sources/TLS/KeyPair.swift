internal import COpenSSL
internal import Glibc
internal import Reactor

/// Where a certificate and its key are: files in PEM. The certificate's has its chain below it.
public struct TLSFiles: Sendable, Hashable {
    public var certificate: String
    public var key: String
    /// Its first line is what the key is encrypted with; empty: it is not.
    public var passphrase: String

    public init(certificate: String, key: String, passphrase: String = "") {
        (self.certificate, self.key, self.passphrase) = (certificate, key, passphrase)
    }

    var all: [String] { [certificate, key] + (passphrase.isEmpty ? [] : [passphrase]) }
}

/// What is wrong with a certificate or a key, for the operator: which file, and why.
public struct TLSProblem: Error, Equatable, Sendable, CustomStringConvertible {
    public let text: String
    public var description: String { text }
    init(_ text: String) { self.text = text }
}

/// A certificate with its chain and its key, read and found to belong together. Nothing in it changes.
final class KeyPair: @unchecked Sendable {
    // SAFETY: written in `init` only; libcrypto counts the references of X509 and EVP_PKEY atomically, and only reads them here.
    let certificate: OpaquePointer
    let chain: [OpaquePointer]
    let key: OpaquePointer
    let files: TLSFiles
    /// Unix time.
    let (startsSeconds, endsSeconds): (Int, Int)

    /// No file of PEM that is meant is larger.
    private static let bytesMax = 1 << 20

    init(reading files: TLSFiles) throws(TLSProblem) {
        let pem = try Self.read(files.certificate, "certificate")
        var found = Self.certificates(in: pem)
        guard !found.isEmpty else {
            throw TLSProblem("\(files.certificate): holds no certificate in PEM")
        }
        let leaf = found.removeFirst()
        do throws(TLSProblem) {
            let key = try Self.readKey(files)
            guard X509_check_private_key(leaf, key) == 1 else {
                EVP_PKEY_free(key)
                ERR_clear_error()
                throw TLSProblem("\(files.key): the key does not belong to the certificate in \(files.certificate)")
            }
            self.key = key
        } catch {
            for one in [leaf] + found { X509_free(one) }
            throw error
        }
        (certificate, chain, self.files) = (leaf, found, files)
        startsSeconds = Self.unixSeconds(X509_get0_notBefore(leaf))
        endsSeconds = Self.unixSeconds(X509_get0_notAfter(leaf))
    }

    deinit {
        X509_free(certificate)
        for one in chain { X509_free(one) }
        EVP_PKEY_free(key)
    }

    /// Whether the certificate is for a host (RFC 6125): one of its names, or one that a `*.` of it stands for.
    func isFor(host: UnsafePointer<CChar>) -> Bool { X509_check_host(certificate, host, 0, 0, nil) == 1 }

    /// Whoever makes a connection with the context shows it.
    func show(in context: OpaquePointer) throws(TLSProblem) {
        ERR_clear_error()
        guard SSL_CTX_use_certificate(context, certificate) == 1 else {
            throw TLSProblem(
                "\(files.certificate): OpenSSL does not take it: \(OpenSSL.text(OpenSSL.takeError()))")
        }
        guard SSL_CTX_use_PrivateKey(context, key) == 1 else {
            throw TLSProblem("\(files.key): OpenSSL does not take it: \(OpenSSL.text(OpenSSL.takeError()))")
        }
        for one in chain {
            OpenSSL.require(X509_up_ref(one) == 1, "X509_up_ref")
            guard copenssl_context_add_chain(context, one) == 1 else {
                X509_free(one)
                throw TLSProblem(
                    "\(files.certificate): OpenSSL does not take the chain: \(OpenSSL.text(OpenSSL.takeError()))")
            }
        }
    }

    // MARK: Reading

    private static func read(_ path: String, _ what: String) throws(TLSProblem) -> [UInt8] {
        do throws(IOError) {
            return try WholeFile.read(path, bytesMax: bytesMax)
        } catch {
            throw TLSProblem("\(path): the \(what) cannot be read: \(IOError.text(error.code))")
        }
    }

    /// A certificate and what is below it.
    private static func certificates(in pem: [UInt8]) -> [OpaquePointer] {
        defer { ERR_clear_error() }
        return withInput(pem) { input in
            var found: [OpaquePointer] = []
            while let one = PEM_read_bio_X509(input, nil, nil, nil) { found.append(one) }
            return found
        }
    }

    private static func readKey(_ files: TLSFiles) throws(TLSProblem) -> OpaquePointer {
        var pem = try read(files.key, "key")
        var asked = PassphraseQuestion(passphrase: [])
        if !files.passphrase.isEmpty {
            let text = try read(files.passphrase, "key's passphrase")
            asked.passphrase = Array(text.prefix { $0 != 0x0A && $0 != 0x0D })
        }
        defer {
            pem.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
            asked.passphrase.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
        }
        ERR_clear_error()
        let key = withInput(pem) { input in
            withUnsafeMutablePointer(to: &asked) { PEM_read_bio_PrivateKey(input, nil, answerPassphrase, $0) }
        }
        if let key { return key }
        let error = OpenSSL.takeError()
        if asked.wasAsked, files.passphrase.isEmpty {
            throw TLSProblem("\(files.key): the key is encrypted, and no keyPassphraseFile is given")
        }
        if asked.wasAsked {
            throw TLSProblem("\(files.key): the passphrase in \(files.passphrase) does not open the key")
        }
        // OpenSSL calls that "unsupported".
        if strstr(String(decoding: pem, as: UTF8.self), "PRIVATE KEY-----") == nil {
            throw TLSProblem("\(files.key): holds no private key in PEM")
        }
        throw TLSProblem("\(files.key): the key cannot be read: \(OpenSSL.text(error))")
    }

    private static func withInput<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result {
        bytes.withUnsafeBytes { bytes in
            guard let input = BIO_new_mem_buf(bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1), CInt(bytes.count))
            else { preconditionFailure("BIO_new_mem_buf: out of memory") }
            defer { BIO_free(input) }
            return body(input)
        }
    }

    private static func unixSeconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return timegm(&parts)
    }
}

/// What OpenSSL asks for when a key is encrypted.
private struct PassphraseQuestion {
    var passphrase: [UInt8]
    var wasAsked = false
}

/// A global function, because a C callback has no context of its own.
private func answerPassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: CInt, _: CInt, _ context: UnsafeMutableRawPointer?
) -> CInt {
    guard let question = context?.assumingMemoryBound(to: PassphraseQuestion.self), let buffer else { return -1 }
    question.pointee.wasAsked = true
    let passphrase = question.pointee.passphrase
    guard !passphrase.isEmpty, passphrase.count <= size else { return -1 }
    for (index, byte) in passphrase.enumerated() { buffer[index] = CChar(bitPattern: byte) }
    return CInt(passphrase.count)
}
