internal import Wire

/// Why a connection does not count as TLS, for an app that takes no other (4000, Pusher protocol §1.2).
enum TLSFault: Equatable {
    /// A proxy says that its client speaks TLS, or somebody who wants to pass for one: the operator trusts none.
    case untrusted
    /// The operator trusts a proxy, and it said nothing.
    case unsaid
    case plaintext

    /// Nil: it is TLS, or a proxy that the operator trusts vouches for it.
    /// - Parameter isSecured: it speaks TLS with us, or with a proxy that vouches for it in its PROXY header. A trusted proxy that says its client does not has the last word all the same.
    init?(_ head: HTTPRequestHead, trustsProxy: Bool, isSecured: Bool = false) {
        if isSecured, !trustsProxy || head.isForwardedTLS != false { return nil }
        switch (head.isForwardedTLS, trustsProxy) {
        case (true?, true): return nil
        case (true?, false): self = .untrusted
        case (nil, true): self = .unsaid
        case (false?, _), (nil, false): self = .plaintext
        }
    }

    /// Fits a close frame: at most 123 bytes.
    var text: String {
        switch self {
        case .untrusted: "This app takes TLS only, and what the proxy says about TLS counts only with --trust-proxy"
        case .unsaid: "This app takes TLS only, and the proxy in front does not say so: have it send X-Forwarded-Proto"
        case .plaintext: "This app takes TLS only: connect with wss"
        }
    }
}
