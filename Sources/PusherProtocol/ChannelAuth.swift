internal import Crypto
internal import Wire

/// The signature with which an app vouches for a subscription or a user: `KEY:hex` (Pusher protocol §3.2, §5.1).
public struct ChannelAuth: Sendable {
    /// What a check found.
    public enum Outcome: Sendable, Equatable {
        /// Signed with the secret of the key it names.
        case ok
        /// Not of the form `key:signature` with 64 hex digits.
        case malformed
        /// The key before the colon is no active key of this app (PW-058).
        case unknownKey
        /// Another text or another secret was signed; this is the text that should have been.
        case mismatch(stringSigned: [UInt8])

        /// Whether the signature holds.
        public var isOK: Bool { self == .ok }
    }

    /// Checks a subscription's `auth`: `socket_id:channel`, or `socket_id:channel:channel_data` when there is one.
    ///
    /// `channelData` is the decoded text, never re-serialised (PW-083); nil when it was not given. To an empty one hosted Pusher
    /// wants `socket_id:channel:` signed and other servers `socket_id:channel`, so both hold (Pusher protocol §3.2). The
    /// comparison takes constant time. Any thread.
    public static func verify(
        auth: Span<UInt8>, socketID: SocketID, channel: Span<UInt8>, channelData: Span<UInt8>?, keys: [AppKey]
    ) -> Outcome {
        var text: [UInt8] = []
        text.reserveCapacity(24 + channel.count + (channelData?.count ?? 0))
        socketID.append(to: &text)
        text.append(UInt8(ascii: ":"))
        text.append(bytes: channel)
        guard let channelData else { return verify(auth, signs: text, keys: keys) }
        text.append(UInt8(ascii: ":"))
        text.append(bytes: channelData)
        let outcome = verify(auth, signs: text, keys: keys)
        guard channelData.isEmpty, case .mismatch = outcome else { return outcome }
        let bare = verify(auth, signs: Array(text.dropLast()), keys: keys)
        return bare.isOK ? bare : outcome
    }

    /// Checks a sign-in's `auth`: `socket_id::user::user_data` (Pusher protocol §5.1, PW-109). Otherwise as above.
    public static func verifyUser(
        auth: Span<UInt8>, socketID: SocketID, userData: Span<UInt8>, keys: [AppKey]
    ) -> Outcome {
        var text: [UInt8] = []
        text.reserveCapacity(32 + userData.count)
        socketID.append(to: &text)
        text.append(text: "::user::")
        text.append(bytes: userData)
        return verify(auth, signs: text, keys: keys)
    }

    /// What to tell the client about a failed check of `subject` ("channel private-x", "user"); nil when it succeeded.
    ///
    /// Shows what to sign, never the expected signature or the secret (PW-182).
    public static func message(_ outcome: Outcome, auth: Span<UInt8>, subject: String) -> String? {
        switch outcome {
        case .ok: return nil
        case .malformed:
            return auth.isEmpty
                ? "Missing auth for \(subject): sign the subscription on your server and send it as key:signature"
                : "Invalid auth for \(subject): it must have the form key:signature, the signature 64 hex digits"
        case .unknownKey:
            let colon = firstColon(auth) ?? auth.count
            let key = auth.extracting(0..<colon).excerpt(bytesMax: 64)
            return "Invalid key in auth for \(subject): '\(key)' is not an active key of this app"
        case .mismatch(let text):
            return "Invalid signature for \(subject): it must be the HMAC-SHA256, as hex, of "
                + text.span.excerpt(bytesMax: 512) + " with the secret of the key in auth"
        }
    }

    private static func verify(
        _ auth: Span<UInt8>, signs text: [UInt8], keys: [AppKey]
    ) -> Outcome {
        guard let colon = firstColon(auth) else { return .malformed }
        let key = auth.extracting(0..<colon), signature = auth.extracting(colon + 1..<auth.count)
        guard !key.isEmpty, signature.count == 64 else { return .malformed }
        // One that is right has the right form, too.
        guard let index = keys.firstIndex(named: key) else { return isHex(signature) ? .unknownKey : .malformed }
        let digest = keys[index].secret.sign(text.span)
        if digest.equalsHex(signature) { return .ok }
        return isHex(signature) ? .mismatch(stringSigned: text) : .malformed
    }

    private static func isHex(_ text: Span<UInt8>) -> Bool {
        for offset in text.indices where !isHexDigit(text[offset]) { return false }
        return true
    }

    private static func firstColon(_ auth: Span<UInt8>) -> Int? {
        for offset in auth.indices where auth[offset] == UInt8(ascii: ":") { return offset }
        return nil
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}

extension [AppKey] {
    /// An app has a few keys at most, so a list is searched faster than a table.
    func firstIndex(named key: Span<UInt8>) -> Int? {
        for index in indices {
            let name = self[index].key
            if key.equals(name.span) { return index }
        }
        return nil
    }
}
