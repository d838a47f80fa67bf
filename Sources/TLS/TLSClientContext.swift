internal import COpenSSL

/// The client's side of TLS: for tests and for load. Nothing in it changes. Safe from any thread.
public final class TLSClientContext: @unchecked Sendable {
    // SAFETY: filled before `init` returns, and only read afterwards; libssl counts its references atomically.
    let context: OpaquePointer
    let isChecking: Bool

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

    /// - Parameters:
    ///   - newest: the newest version that is offered.
    ///   - offersHTTP: names HTTP/1.1 (ALPN).
    public init(_ trust: Trust, newest: Version = .tls13, offersHTTP: Bool = true) throws(TLSProblem) {
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
        (context, isChecking) = (made, trust != .anybody)
        ERR_clear_error()
        switch trust {
        case .anybody: return
        case .system:
            guard SSL_CTX_set_default_verify_paths(made) == 1 else {
                throw TLSProblem("this machine's authorities cannot be read: \(OpenSSL.text(OpenSSL.takeError()))")
            }
        case .authority(let file):
            guard SSL_CTX_load_verify_file(made, file) == 1 else {
                throw TLSProblem("\(file): cannot be used as an authority: \(OpenSSL.text(OpenSSL.takeError()))")
            }
        }
        SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nil)
    }

    deinit { SSL_CTX_free(context) }
}
