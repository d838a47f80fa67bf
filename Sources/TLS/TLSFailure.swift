internal import COpenSSL

/// Why a handshake failed. The raw value numbers a counter.
public enum TLSFailure: Int, Sendable, CaseIterable {
    /// Older than TLS 1.2, or newer than anything.
    case version
    /// No cipher, group or signature that both know.
    case cipher
    /// The client offers protocols, and HTTP/1.1 is not among them.
    case applicationProtocol
    /// The client said no: it does not trust the certificate, or knows it under another name.
    case alert
    /// What came is no TLS, or not of this connection.
    case record
    /// It did not finish in time.
    case timeout
    /// It waited for its client while others waited for its place.
    case stalled
    /// The client went away.
    case gone

    /// The reason as a label: few, fixed words.
    public var name: StaticString {
        switch self {
        case .version: "version"
        case .cipher: "cipher"
        case .applicationProtocol: "alpn"
        case .alert: "alert"
        case .record: "record"
        case .timeout: "timeout"
        case .stalled: "stalled"
        case .gone: "gone"
        }
    }

    /// For the operator.
    public var text: String {
        switch self {
        case .version: "the client speaks no version of TLS from 1.2 on"
        case .cipher: "the client and the server have no cipher in common"
        case .applicationProtocol: "the client does not offer HTTP/1.1"
        case .alert:
            "the client refused: it may not trust the certificate, or it calls the server by a name that is not in it"
        case .record: "what came is no TLS"
        case .timeout: "the TLS handshake was not over in time"
        case .stalled: "the TLS handshake waited for its client while others waited"
        case .gone: "the client went away in the TLS handshake"
        }
    }

    /// For the user of a client.
    var textOfClient: String {
        switch self {
        case .version: "the server speaks no version of TLS from 1.2 on"
        case .cipher: "the server and we have no cipher in common"
        case .applicationProtocol: "the server does not speak HTTP/1.1"
        case .alert: "the server refused the handshake"
        case .record: "the server speaks no TLS on this port"
        case .timeout, .stalled: "the handshake was not over in time"
        case .gone: "the server went away in the handshake"
        }
    }

    /// - Parameter error: an entry of OpenSSL's error queue.
    init(openSSL error: UInt) {
        switch copenssl_error_reason(error) {
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH, SSL_R_WRONG_SSL_VERSION,
            SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_INAPPROPRIATE_FALLBACK, SSL_R_UNKNOWN_PROTOCOL:
            self = .version
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SHARED_GROUPS:
            self = .cipher
        case SSL_R_NO_APPLICATION_PROTOCOL: self = .applicationProtocol
        // An alert of the peer's is numbered behind these (SSL_AD_REASON_OFFSET).
        case 1_000...1_255: self = .alert
        default: self = .record
        }
    }

    /// The alert of the peer's that an error tells of; 0: none.
    static func alert(openSSL error: UInt) -> UInt8 {
        let reason = copenssl_error_reason(error)
        return (1_000...1_255).contains(reason) ? UInt8(reason - 1_000) : 0
    }
}
