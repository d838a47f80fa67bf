internal import COpenSSL

/// A certificate and its key as they stand in files.
struct PEMPair: Equatable {
    var certificate: [UInt8]
    var key: [UInt8]
}

/// A certificate authority for one developer's machine: it signs certificates for names that only mean something there.
///
/// Its own certificate says so (name constraints, RFC 5280 §4.2.1.10): who steals the key of one that a browser trusts cannot speak for
/// the rest of the web. Time is an argument, in Unix seconds; randomness is OpenSSL's.
final class LocalAuthority {
    // Both are released in `deinit`, and belong to nobody else.
    private let certificate: OpaquePointer
    private let key: OpaquePointer

    /// Says whose files these are.
    static let organization = "Starling development authority"
    /// What clients take at most is 398 days (CA/Browser Forum, Baseline Requirements 6.3.2).
    static let leafDays = 396
    private static let authorityDays = 3_650
    /// Clocks of two machines differ.
    private static let leewaySeconds = 3_600

    private init(certificate: OpaquePointer, key: OpaquePointer) {
        (self.certificate, self.key) = (certificate, key)
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    // MARK: Making and reading

    /// A new one.
    /// - Parameters:
    ///   - names: what it may sign for besides the names and networks that never leave a site.
    ///   - host: says in lists of authorities which machine this one belongs to.
    static func make(for names: LocalNames, host: String, now: Int) throws(TLSProblem) -> LocalAuthority {
        let key = try Issuance.newKey()
        do throws(TLSProblem) {
            let subject = [("O", organization), ("CN", "Starling development on \(host)")]
            let draft = try Issuance(
                subject: subject, key: key, from: now - leewaySeconds, to: now + authorityDays * 86_400)
            try draft.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
            try draft.add(NID_key_usage, "critical,keyCertSign,cRLSign")
            try draft.add(NID_subject_key_identifier, "hash")
            try draft.add(NID_name_constraints, "critical," + names.constraints)
            return LocalAuthority(certificate: try draft.signed(issuer: nil, issuerKey: key), key: key)
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
    }

    /// - Returns: nil when the two are no authority of ours.
    static func read(_ pair: PEMPair) -> LocalAuthority? {
        defer { ERR_clear_error() }
        guard let certificate = PEM.certificate(pair.certificate) else { return nil }
        guard let key = PEM.key(pair.key) else {
            X509_free(certificate)
            return nil
        }
        let authority = LocalAuthority(certificate: certificate, key: key)
        let isOurs =
            X509_check_private_key(certificate, key) == 1 && X509_check_ca(certificate) == 1
            && authority.text(of: NID_organizationName) == organization
        return isOurs ? authority : nil
    }

    func pem() throws(TLSProblem) -> PEMPair {
        PEMPair(certificate: try PEM.text(ofCertificate: certificate), key: try PEM.text(ofKey: key))
    }

    /// Unix seconds.
    var endsSeconds: Int { Issuance.unixSeconds(X509_get0_notAfter(certificate)) }

    private func text(of nid: CInt) -> String? {
        var bytes = [CChar](repeating: 0, count: 128)
        let count = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), nid, &bytes, CInt(bytes.count))
        guard count > 0 else { return nil }
        return String(decoding: bytes.prefix(Int(count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    // MARK: Leaves

    /// A certificate for a server of these names, with a key of its own; its chain is empty, because clients know the authority.
    func issue(for names: LocalNames, now: Int) throws(TLSProblem) -> PEMPair {
        let leafKey = try Issuance.newKey()
        defer { EVP_PKEY_free(leafKey) }
        let ends = min(now + Self.leafDays * 86_400, endsSeconds)
        let draft = try Issuance(
            subject: [("O", "Starling development certificate")], key: leafKey, from: now - Self.leewaySeconds, to: ends
        )
        try draft.add(NID_basic_constraints, "critical,CA:FALSE")
        try draft.add(NID_key_usage, "critical,digitalSignature")
        try draft.add(NID_ext_key_usage, "serverAuth")
        try draft.add(NID_subject_key_identifier, "hash")
        try draft.add(NID_authority_key_identifier, "keyid:always", issuer: certificate)
        try draft.add(NID_subject_alt_name, names.alternativeNames)
        let leaf = try draft.signed(issuer: certificate, issuerKey: key)
        defer { X509_free(leaf) }
        guard isTrusted(leaf, now: now) else {
            throw TLSProblem(
                "the authority may not sign for \(names.all.joined(separator: ", ")): it was made for other names")
        }
        return PEMPair(certificate: try PEM.text(ofCertificate: leaf), key: try PEM.text(ofKey: leafKey))
    }

    /// What an earlier certificate of this authority is for; nil when it is none, or does not belong to the key.
    func issued(_ pair: PEMPair) -> (names: LocalNames, endsSeconds: Int)? {
        defer { ERR_clear_error() }
        guard let leaf = PEM.certificate(pair.certificate) else { return nil }
        defer { X509_free(leaf) }
        guard let leafKey = PEM.key(pair.key) else { return nil }
        defer { EVP_PKEY_free(leafKey) }
        guard X509_check_private_key(leaf, leafKey) == 1, X509_verify(leaf, key) == 1 else { return nil }
        return (LocalNames(of: leaf), Issuance.unixSeconds(X509_get0_notAfter(leaf)))
    }

    /// As a client that trusts this authority sees it, its name constraints among it.
    private func isTrusted(_ leaf: OpaquePointer, now: Int) -> Bool {
        defer { ERR_clear_error() }
        guard let store = X509_STORE_new(), let context = X509_STORE_CTX_new() else { return false }
        defer {
            X509_STORE_CTX_free(context)
            X509_STORE_free(store)
        }
        guard X509_STORE_add_cert(store, certificate) == 1, X509_STORE_CTX_init(context, store, leaf, nil) == 1
        else { return false }
        X509_STORE_CTX_set_time(context, 0, now)
        return X509_verify_cert(context) == 1
    }
}

@available(*, unavailable) extension LocalAuthority: Sendable {}

/// A certificate that is being written.
private final class Issuance {
    private let certificate: OpaquePointer

    init(subject: [(name: String, value: String)], key: OpaquePointer, from: Int, to end: Int) throws(TLSProblem) {
        guard let certificate = X509_new() else { throw Self.failure("X509_new") }
        self.certificate = certificate
        try check(X509_set_version(certificate, 2), "X509_set_version")
        try setSerial()
        let name = X509_get_subject_name(certificate)
        for (field, value) in subject {
            let bytes = Array(value.utf8.prefix(64))
            try check(
                X509_NAME_add_entry_by_txt(name, field, Self.utf8, bytes, CInt(bytes.count), -1, 0),
                "X509_NAME_add_entry")
        }
        var zero = 0
        guard X509_time_adj_ex(X509_getm_notBefore(certificate), 0, from, &zero) != nil,
            X509_time_adj_ex(X509_getm_notAfter(certificate), 0, end, &zero) != nil
        else { throw Self.failure("X509_time_adj_ex") }
        try check(X509_set_pubkey(certificate, key), "X509_set_pubkey")
    }

    deinit { X509_free(certificate) }

    /// MBSTRING_UTF8 of asn1.h.
    private static let utf8: CInt = 0x1000

    /// 127 random bits: positive, and nobody guesses it (RFC 5280 §4.1.2.2).
    private func setSerial() throws(TLSProblem) {
        var bytes = [UInt8](repeating: 0, count: 16)
        try check(RAND_bytes(&bytes, 16), "RAND_bytes")
        bytes[0] = bytes[0] & 0x7F | 0x40
        guard let number = BN_bin2bn(bytes, 16, nil) else { throw Self.failure("BN_bin2bn") }
        defer { BN_free(number) }
        guard BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil else {
            throw Self.failure("BN_to_ASN1_INTEGER")
        }
    }

    /// - Parameter value: as in a configuration file of OpenSSL.
    func add(_ nid: CInt, _ value: String, issuer: OpaquePointer? = nil) throws(TLSProblem) {
        var context = v3_ext_ctx()
        X509V3_set_ctx(&context, issuer ?? certificate, certificate, nil, nil, 0)
        guard let made = X509V3_EXT_conf_nid(nil, &context, nid, value) else { throw Self.failure("extension \(nid)") }
        defer { X509_EXTENSION_free(made) }
        try check(X509_add_ext(certificate, made, -1), "X509_add_ext")
    }

    /// - Parameter issuer: nil signs it with itself.
    /// - Returns: the caller frees it.
    func signed(issuer: OpaquePointer?, issuerKey: OpaquePointer) throws(TLSProblem) -> OpaquePointer {
        try check(
            X509_set_issuer_name(certificate, X509_get_subject_name(issuer ?? certificate)), "X509_set_issuer_name")
        guard X509_sign(certificate, issuerKey, EVP_sha256()) > 0 else { throw Self.failure("X509_sign") }
        try check(X509_up_ref(certificate), "X509_up_ref")
        return certificate
    }

    private func check(_ result: CInt, _ call: String) throws(TLSProblem) {
        guard result == 1 else { throw Self.failure(call) }
    }

    static func failure(_ call: String) -> TLSProblem {
        ERR_clear_error()
        return TLSProblem("libcrypto refused \(call); is its configuration one of FIPS only?")
    }

    /// On the curve P-256, which every client takes.
    static func newKey() throws(TLSProblem) -> OpaquePointer {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil) else { throw failure("EC") }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_group_name(context, "P-256") == 1,
            EVP_PKEY_generate(context, &key) == 1, let key
        else { throw failure("EVP_PKEY_generate") }
        return key
    }

    static func unixSeconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
        guard let epoch = ASN1_TIME_set(nil, 0) else { return 0 }
        defer { ASN1_STRING_free(epoch) }
        var (days, seconds): (CInt, CInt) = (0, 0)
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return 0 }
        return Int(days) * 86_400 + Int(seconds)
    }
}

/// Values of OpenSSL from and to RFC 7468.
private enum PEM {
    /// - Returns: the caller frees it.
    static func certificate(_ text: [UInt8]) -> OpaquePointer? {
        withInput(text) { PEM_read_bio_X509($0, nil, nil, nil) }
    }

    /// - Returns: the caller frees it. A key with a passphrase is none: nobody is asked.
    static func key(_ text: [UInt8]) -> OpaquePointer? {
        withInput(text) { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
    }

    static func text(ofCertificate certificate: OpaquePointer) throws(TLSProblem) -> [UInt8] {
        guard let text = output({ PEM_write_bio_X509($0, certificate) }) else { throw Issuance.failure("PEM_write") }
        return text
    }

    /// In PKCS #8, without a passphrase.
    static func text(ofKey key: OpaquePointer) throws(TLSProblem) -> [UInt8] {
        guard let text = output({ PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) }) else {
            throw Issuance.failure("PEM_write")
        }
        return text
    }

    private static func withInput<Value>(_ text: [UInt8], _ body: (OpaquePointer) -> Value?) -> Value? {
        text.withUnsafeBytes { bytes in
            guard let input = BIO_new_mem_buf(bytes.baseAddress, CInt(clamping: bytes.count)) else { return nil }
            defer { BIO_free(input) }
            return body(input)
        }
    }

    private static func output(_ write: (OpaquePointer) -> CInt) -> [UInt8]? {
        guard let output = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(output) }
        guard write(output) == 1 else { return nil }
        var text = [UInt8](repeating: 0, count: BIO_ctrl_pending(output))
        return BIO_read(output, &text, CInt(text.count)) == CInt(text.count) ? text : nil
    }
}

extension LocalNames {
    /// What a certificate is for (RFC 5280 §4.2.1.6), host names and addresses.
    init(of certificate: OpaquePointer) {
        self.init(hosts: [], addresses: [])
        guard let list = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return }
        let names = OpaquePointer(list)
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<OPENSSL_sk_num(names) {
            let name = OPENSSL_sk_value(names, index)?.assumingMemoryBound(to: GENERAL_NAME.self)
            var type: CInt = 0
            guard let value = GENERAL_NAME_get0_value(name, &type) else { continue }
            let string = UnsafePointer(value.assumingMemoryBound(to: ASN1_STRING.self))
            let bytes = UnsafeBufferPointer(
                start: ASN1_STRING_get0_data(string), count: Int(ASN1_STRING_length(string)))
            switch type {
            case GEN_DNS: hosts.append(String(decoding: bytes, as: UTF8.self))
            case GEN_IPADD: addresses.append(Array(bytes))
            default: break
            }
        }
    }
}
