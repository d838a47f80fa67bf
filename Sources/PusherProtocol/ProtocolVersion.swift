/// The `protocol` parameter of a connection's URL.
public enum ProtocolVersion {
    /// The version to speak, 5…7 (Pusher protocol §1.3, PW-007, PW-008). `text` is nil or empty when the parameter is missing.
    public static func parse(_ text: [UInt8]?, isStrict: Bool) throws(PusherErrorCode) -> Int {
        guard let text, !text.isEmpty else {
            if isStrict { throw .missingProtocol }
            return 7
        }
        var version = 0
        for byte in text {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { throw .malformedVersion }
            // Whatever is larger is not spoken here either.
            version = min(version * 10 + Int(byte - UInt8(ascii: "0")), 1_000)
        }
        guard 5...7 ~= version else { throw .unsupportedProtocol }
        return version
    }
}
