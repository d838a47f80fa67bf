internal import COpenSSL

/// The client's side of TLS: TLS 1.2 and 1.3, the chain verified and the name (`TLSLayer`), unless anybody is believed. Nothing in it changes. Safe
/// from any thread.
public final class TLSClientContext: @unchecked Sendable {
    // SAFETY: filled before `init` returns, and only read afterwards; libssl counts its references atomically.
    let context: OpaquePointer
    let isChecking: Bool
    /// Whether somebody is believed at all: a machine may have no authorities, and then every handshake fails.
    public let hasAuthorities: Bool

    public enum Version: Sendable {
        case tls12, tls13
    }

    /// Which certificates are believed.
    public enum Trust: Sendable, Equatable {
        /// Those of the authorities that this machine trusts.
        case system
        /// Those of the authorities in a file (PEM).
        case authority(String)
        /// Whatever comes, for one's own server.
        case anybody
    }

    /// Reads files. What is wrong with them is thrown.
    /// - Parameters:
    ///   - own: what we show a server that asks.
    ///   - newest: the newest version that is offered.
    ///   - offersHTTP: names HTTP/1.1 (ALPN).
    public init(
        _ trust: Trust, own: TLSFiles? = nil, newest: Version = .tls13, offersHTTP: Bool = true
    ) throws(TLSProblem) {
        guard let made = SSL_CTX_new(TLS_client_method()) else { preconditionFailure("SSL_CTX_new: out of memory") }
        OpenSSL.require(copenssl_context_set_rules(made) == 1, "SSL_CTX_set_min_proto_version")
        if newest == .tls12 {
            OpenSSL.require(
                copenssl_context_set_max_version(made, TLS1_2_VERSION) == 1, "SSL_CTX_set_max_proto_version")
        }
        if offersHTTP {
            let offer = [UInt8(8)] + Array("http/1.1".utf8)
            OpenSSL.require(
                SSL_CTX_set_alpn_protos(made, offer, CUnsignedInt(offer.count)) == 0, "SSL_CTX_set_alpn_protos")
        }
        do throws(TLSProblem) {
            hasAuthorities = try Self.believe(trust, made)
            if let own { try KeyPair(reading: own).show(in: made) }
        } catch {
            SSL_CTX_free(made)
            throw error
        }
        (context, isChecking) = (made, trust != .anybody)
    }

    private static func believe(_ trust: Trust, _ context: OpaquePointer) throws(TLSProblem) -> Bool {
        ERR_clear_error()
        var hasAuthorities = true
        switch trust {
        case .anybody: return true
        case .system: hasAuthorities = SystemTrust.load(into: context)
        case .authority(let file):
            guard SSL_CTX_load_verify_file(context, file) == 1 else {
                throw TLSProblem("\(file): cannot be used as an authority: \(OpenSSL.text(OpenSSL.takeError()))")
            }
            // Who names a server's own certificate, or an authority below another, believes that one.
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        return hasAuthorities
    }

    deinit { SSL_CTX_free(context) }
}
