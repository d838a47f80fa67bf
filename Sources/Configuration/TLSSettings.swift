/// What the operator decided about TLS, as paths: reading and believing the files is the work of whoever serves with them.
///
/// Without a certificate there is no TLS.
public struct TLSSettings: Sendable, Equatable {
    /// Files in PEM. The certificate's has its chain below it.
    public struct Pair: Sendable, Equatable {
        public var certificate = ""
        public var key = ""
        /// Holds what the key is encrypted with; empty: it is not.
        public var keyPassphraseFile = ""

        public init(certificate: String = "", key: String = "", keyPassphraseFile: String = "") {
            (self.certificate, self.key, self.keyPassphraseFile) = (certificate, key, keyPassphraseFile)
        }
    }

    /// For clients that name no host, or one that no certificate is for.
    var standard = Pair()
    /// Chosen by the name that a client asks for (RFC 6066 §3).
    var further: [Pair] = []
    /// -1: none of its own; 0 lets the kernel pick a free one; to 65535.
    var portNumber = Self.noPort
    /// Plain HTTP is answered with a sentence and nothing else.
    public var isOnly = false

    static let noPort = -1

    public init() {}

    /// The standard pair first. Empty: no TLS.
    public var certificates: [Pair] { (standard == Pair() ? [] : [standard]) + further }
    public var isOn: Bool { !certificates.isEmpty }
    /// A port that has nothing but TLS; nil: the port of plain HTTP serves both.
    public var port: UInt16? { UInt16(exactly: portNumber) }
}
