internal import COpenSSL
internal import Glibc

/// Why a client does not go on with a server, in sentences that say what to change.
extension TLSLayer {
    /// What names one may say of a certificate, and how long they may be.
    private static let namesMax = 5
    private static let nameBytesMax = 80

    /// Why the handshake failed, or what came after it.
    /// - Parameter host: the name or address that the server was called by.
    public func serverProblem(host: String) -> String {
        let result = SSL_get_verify_result(ssl)
        guard result != Int(X509_V_OK) else { return handshakeProblem }
        let certificate = copenssl_shown_certificate(ssl)
        switch CInt(truncatingIfNeeded: result) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return
                "The server's certificate, or one above it, has expired\(Self.day(certificate.flatMap { X509_get0_notAfter($0) }, " (it ended on "))"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return
                "The server's certificate, or one above it, is not valid yet\(Self.day(certificate.flatMap { X509_get0_notBefore($0) }, " (it begins on ")): is this machine's clock right?"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return
                "The server's certificate vouches for itself; if that is meant, name a file with it as the endpoint's authority"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return
                "The server's certificate was issued by \(Self.issuer(certificate)), who is not trusted; if that is meant, name a file with that authority's certificate as the endpoint's authority"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "The server's certificate is for \(Self.names(certificate)), and not for \(host)"
        case let code:
            return
                "The server's certificate is not trusted: \(String(cString: X509_verify_cert_error_string(Int(code))))"
        }
    }

    private var handshakeProblem: String {
        let said = alert == 0 ? nil : SSL_alert_desc_string_long(CInt(alert)).map { String(cString: $0) }
        switch CInt(alert) {
        case SSL3_AD_HANDSHAKE_FAILURE, SSL3_AD_BAD_CERTIFICATE, SSL3_AD_UNSUPPORTED_CERTIFICATE,
            SSL3_AD_CERTIFICATE_REVOKED, SSL3_AD_CERTIFICATE_EXPIRED, SSL3_AD_CERTIFICATE_UNKNOWN, TLS1_AD_UNKNOWN_CA,
            TLS1_AD_ACCESS_DENIED, TLS13_AD_CERTIFICATE_REQUIRED:
            return
                "The server refused us in TLS (\(said ?? "it did not say why")): it may want a client certificate, or another one than ours"
        case TLS1_AD_PROTOCOL_VERSION: return "The server speaks no version of TLS from 1.2 on"
        default: break
        }
        let text = failure?.textOfClient ?? "the server went away in the handshake"
        return Self.capitalized(text) + (said.map { " (\($0))" } ?? "")
    }

    private static func capitalized(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

    // MARK: What a certificate says

    /// Nothing but the plain signs that names are made of: who made the certificate does not write in our log.
    private static func plain(_ text: String) -> String {
        let clean = text.unicodeScalars.prefix(nameBytesMax).map { scalar -> Character in
            let isPlain =
                scalar.isASCII && scalar.value >= 0x20 && scalar != "\"" && scalar != "\\" && scalar.value < 0x7F
            return isPlain ? Character(scalar) : "?"
        }
        return String(clean)
    }

    private static func names(_ certificate: OpaquePointer?) -> String {
        guard let certificate else { return "others" }
        let all = LocalNames(of: certificate).all
        guard !all.isEmpty else { return "no name at all" }
        let shown = all.prefix(namesMax).map(plain).joined(separator: ", ")
        return all.count > namesMax ? "\(shown) and \(all.count - namesMax) more" : shown
    }

    private static func issuer(_ certificate: OpaquePointer?) -> String {
        guard let certificate else { return "somebody" }
        for field in [NID_commonName, NID_organizationName] {
            var bytes = [CChar](repeating: 0, count: 256)
            let count = X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), field, &bytes, CInt(bytes.count))
            guard count > 0 else { continue }
            let text = String(decoding: bytes.prefix(Int(count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
            return "\"\(plain(text))\""
        }
        return "somebody without a name"
    }

    /// ` (it ended on 2026-11-30)`.
    private static func day(_ time: UnsafePointer<ASN1_TIME>?, _ before: String) -> String {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return "" }
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(before)\(parts.tm_year + 1_900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)))"
    }
}
