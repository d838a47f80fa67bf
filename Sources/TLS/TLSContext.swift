internal import COpenSSL

/// The server's side of TLS as it is configured: certificates, and what is spoken. Nothing in it changes; another one takes its place for the
/// handshakes that come (`TLSKeeper`), and a connection keeps the one it began with. Safe from any thread.
///
/// TLS 1.2 and 1.3, ephemeral keys and authenticated ciphers only, HTTP/1.1 as the one protocol.
public final class TLSContext: @unchecked Sendable {
    // SAFETY: the contexts are filled before `init` returns, and only read afterwards; libssl counts their references atomically.
    /// One for each pair, the standard one first.
    let contexts: [OpaquePointer]
    let pairs: [KeyPair]
    private let tickets: TicketKeys

    /// AES-128 first: its two contexts are 330 bytes smaller for each connection than those of AES-256, and 128 bits are enough.
    private static let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let ciphers =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    private static let groups = "X25519:P-256:P-384"

    /// Reads the certificates. Blocks: before and beside the loops.
    /// - Parameter files: the first is for clients that name no host, or one that no certificate is for; at least one.
    public convenience init(_ files: [TLSFiles]) throws(TLSProblem) { try self.init(files, tickets: TicketKeys()) }

    init(_ files: [TLSFiles], tickets: TicketKeys) throws(TLSProblem) {
        precondition(!files.isEmpty, "TLS needs a certificate")
        var pairs: [KeyPair] = []
        for one in files { pairs.append(try KeyPair(reading: one)) }
        var made: [OpaquePointer] = []
        do throws(TLSProblem) {
            for pair in pairs { made.append(try Self.context(of: pair)) }
        } catch {
            for one in made { SSL_CTX_free(one) }
            throw error
        }
        (contexts, self.pairs, self.tickets) = (made, pairs, tickets)
        let own = Unmanaged.passUnretained(self).toOpaque()
        for one in made { SSL_CTX_set_ex_data(one, 0, own) }
    }

    deinit { for one in contexts { SSL_CTX_free(one) } }

    private static func context(of pair: KeyPair) throws(TLSProblem) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_server_method()) else { preconditionFailure("SSL_CTX_new: out of memory") }
        do throws(TLSProblem) {
            OpenSSL.require(copenssl_context_set_rules(context) == 1, "SSL_CTX_set_min_proto_version")
            OpenSSL.require(SSL_CTX_set_ciphersuites(context, suites) == 1, "SSL_CTX_set_ciphersuites")
            OpenSSL.require(SSL_CTX_set_cipher_list(context, ciphers) == 1, "SSL_CTX_set_cipher_list")
            OpenSSL.require(copenssl_context_set_groups(context, groups) == 1, "SSL_CTX_set1_groups_list")
            OpenSSL.require(SSL_CTX_set_num_tickets(context, 1) == 1, "SSL_CTX_set_num_tickets")
            SSL_CTX_set_alpn_select_cb(context, chooseProtocol, nil)
            copenssl_context_on_server_name(context, chooseCertificate)
            copenssl_context_on_ticket(context, answerTicket)
            try pair.show(in: context)
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        return context
    }

    /// When the first of the certificates ends, in Unix time.
    public var expirySeconds: Int { pairs.map(\.endsSeconds).min() ?? 0 }

    /// When each certificate ends: its file, and Unix time.
    public var expiries: [(file: String, seconds: Int)] { pairs.map { ($0.files.certificate, $0.endsSeconds) } }

    /// What is suspicious about the certificates at a time, a sentence each.
    /// - Parameter withinSeconds: one that ends so soon is spoken of.
    public func warnings(unixSeconds now: Int, withinSeconds soon: Int) -> [String] {
        pairs.compactMap { pair in
            let file = pair.files.certificate
            if pair.endsSeconds <= now { return "\(file): the certificate has expired; clients will refuse it" }
            if pair.startsSeconds > now { return "\(file): the certificate is not valid yet; clients will refuse it" }
            guard pair.endsSeconds - now <= soon else { return nil }
            let days = (pair.endsSeconds - now) / 86_400
            return "\(file): the certificate expires in \(days) \(days == 1 ? "day" : "days")"
        }
    }

    // MARK: What a handshake asks

    /// The context that a client's SNI asks for; nil: the standard one.
    fileprivate func context(for host: UnsafePointer<CChar>) -> OpaquePointer? {
        pairs.firstIndex { $0.isFor(host: host) }.map { contexts[$0] }
    }

    fileprivate static func of(_ ssl: OpaquePointer) -> TLSContext? {
        guard let own = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0) else { return nil }
        // The connection holds on to the contexts and its layer to us.
        return Unmanaged<TLSContext>.fromOpaque(own).takeUnretainedValue()
    }

    fileprivate func prepareTicket(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer, isSealing: Bool
    ) -> CInt {
        tickets.prepare(name: name, iv: iv, cipher: cipher, mac: mac, isSealing: isSealing)
    }
}

// Global functions, because a C callback has no context of its own.

private func chooseCertificate(
    _ ssl: OpaquePointer?, _: UnsafeMutablePointer<CInt>?, _: UnsafeMutableRawPointer?
) -> CInt {
    guard let ssl, let host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return SSL_TLSEXT_ERR_NOACK }
    guard let context = TLSContext.of(ssl)?.context(for: host) else { return SSL_TLSEXT_ERR_OK }
    return SSL_set_SSL_CTX(ssl, context) == context ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Takes HTTP/1.1 out of what the client offers (RFC 7301 §3.1: a list of names, each behind its length).
private func chooseProtocol(
    _: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ chosenCount: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ count: CUnsignedInt,
    _: UnsafeMutableRawPointer?
) -> CInt {
    guard let offered, let chosen, let chosenCount else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let names = UnsafeBufferPointer(start: offered, count: Int(count))
    var at = 0
    while at < names.count {
        let length = Int(names[at])
        guard at + 1 + length <= names.count else { break }
        if names[(at + 1)..<(at + 1 + length)].elementsEqual("http/1.1".utf8) {
            (chosen.pointee, chosenCount.pointee) = (offered + at + 1, UInt8(length))
            return SSL_TLSEXT_ERR_OK
        }
        at += 1 + length
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

private func answerTicket(
    _ ssl: OpaquePointer?, _ name: UnsafeMutablePointer<UInt8>?, _ iv: UnsafeMutablePointer<UInt8>?,
    _ cipher: OpaquePointer?, _ mac: OpaquePointer?, _ isSealing: CInt
) -> CInt {
    guard let ssl, let name, let iv, let cipher, let mac, let own = TLSContext.of(ssl) else { return -1 }
    return own.prepareTicket(name, iv, cipher, mac, isSealing: isSealing == 1)
}
