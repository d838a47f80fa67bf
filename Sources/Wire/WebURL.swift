/// Where an HTTP request goes: an `http` or `https` URL taken apart once (RFC 3986 §3, RFC 9110 §4.2).
public struct WebURL: Sendable, Hashable {
    /// `https`.
    public var isSecure: Bool
    /// A name in lower case, or an IP literal without brackets; never empty.
    public var host: String
    /// 1...65535.
    public var port: UInt16
    /// Path and query as they go into the request line; begins with `/`.
    public var target: String

    public init(isSecure: Bool, host: String, port: UInt16, target: String) {
        (self.isSecure, self.host, self.port, self.target) = (isSecure, host, port, target)
    }

    /// The `Host` field: brackets around IPv6, the port only where it is not the scheme's own (RFC 9110 §7.2).
    public var authority: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The one form in which it is shown and compared. It may hold a token in its query: for logs see `shown`.
    public var text: String { "\(isSecure ? "https" : "http")://\(authority)\(target)" }

    /// Without its query, which may hold a secret: for logs and tables.
    public var shown: String {
        let bytes = target.utf8
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else { return text }
        return "\(isSecure ? "https" : "http")://\(authority)\(target[..<mark])?…"
    }
}
