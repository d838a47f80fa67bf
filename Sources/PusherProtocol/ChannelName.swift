internal import Wire

/// What a channel's name says about it: who may enter, and whether it keeps its last event.
///
/// The two are independent and decided by anchored prefixes; deciding them by one pattern was an authorisation bypass
/// elsewhere (Pusher protocol §3.1, PW-052, PW-066).
public struct ChannelKind: Sendable, Equatable {
    /// Who may subscribe.
    public enum Access: UInt8, Sendable, CaseIterable {
        /// Anyone.
        case `public`
        /// With a signature.
        case `private`
        /// With a signature; members see each other.
        case presence
        /// With a signature; the broker carries ciphertext only.
        case encrypted
        /// Only the signed-in user whose id follows `#server-to-user-`.
        case user
    }

    /// Who may subscribe.
    public var access: Access
    /// Whether the last published event is replayed to a new subscriber (Pusher protocol §3.8).
    public var isCache: Bool

    /// A kind from its two parts.
    public init(access: Access, isCache: Bool = false) {
        self.access = access
        self.isCache = isCache
    }

    /// Whether a subscription carries a signature of the app's secret (Pusher protocol §3.2).
    @inlinable public var needsAuthorization: Bool {
        access == .private || access == .presence || access == .encrypted
    }

    /// Whether the channel has a roster of members (Pusher protocol §3.7).
    @inlinable public var isPresence: Bool { access == .presence }

    /// Whether clients may send events on it: private and presence, never encrypted (Pusher protocol §4, PW-099).
    @inlinable public var acceptsClientEvents: Bool { access == .private || access == .presence }

    /// Whether `subscription_count` frames are sent on it (Pusher protocol §3.9, PW-181).
    @inlinable public var reportsSubscriptionCount: Bool { access != .presence && access != .user }
}

/// Why a text is not a channel name (Pusher protocol §3.1).
public enum ChannelNameError: Error, Equatable, Sendable {
    case empty
    case tooLong(bytesMax: Int)
    /// The id in the name of a user channel.
    case userIDTooLong(charactersMax: Int)
    case illegalByte(UInt8, at: Int)
    /// A leading `#` that is not `#server-to-user-{id}`.
    case reserved

    /// One sentence for the sender.
    public var text: String {
        switch self {
        case .empty: return "a channel name must not be empty"
        case .tooLong(let bytesMax): return "a channel name has at most \(bytesMax) bytes"
        case .userIDTooLong(let charactersMax):
            return "the user id in #server-to-user-{id} has at most \(charactersMax) characters"
        case .reserved: return "names that start with # are reserved, except #server-to-user-{id}"
        case .illegalByte(let byte, let offset):
            let digits = String(byte, radix: 16, uppercase: true)
            let shown = 0x21...0x7E ~= byte ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(digits)"
            return "\(shown) at position \(offset) is not allowed in a channel name (A-Z a-z 0-9 _ - = @ , . ;)"
        }
    }
}

/// The grammar of channel names.
public enum ChannelName {
    /// What precedes the user's id in the name of a user channel.
    public static let userPrefix: StaticString = "#server-to-user-"

    /// Checks a name and says what it means (Pusher protocol §3.1, PW-048…PW-052). Any thread; does not allocate.
    ///
    /// `bytesMax` bounds the whole name; of a user channel the id alone is measured, by the rule of all user ids (`UserID`).
    public static func classify(
        _ name: Span<UInt8>, bytesMax: Int, userIDCharactersMax: Int
    ) throws(ChannelNameError) -> ChannelKind {
        guard !name.isEmpty else { throw .empty }
        if name[0] == UInt8(ascii: "#") { return try classifyUser(name, charactersMax: userIDCharactersMax) }
        guard name.count <= bytesMax else { throw .tooLong(bytesMax: bytesMax) }
        for offset in name.indices where !isLegal(name[offset]) { throw .illegalByte(name[offset], at: offset) }
        return kind(name)
    }

    /// The id in a user channel's name; empty for any other name.
    public static func userID(in name: Span<UInt8>) -> Range<Int> {
        name.hasPrefix(userPrefix) ? userPrefix.utf8CodeUnitCount..<name.count : 0..<0
    }

    /// Longest prefix first, so that `private-cache-x` is not taken for a plain private channel.
    private static func kind(_ name: Span<UInt8>) -> ChannelKind {
        switch name[0] {
        case UInt8(ascii: "p"):
            if name.hasPrefix("private-encrypted-cache-") { return ChannelKind(access: .encrypted, isCache: true) }
            if name.hasPrefix("private-encrypted-") { return ChannelKind(access: .encrypted) }
            if name.hasPrefix("private-cache-") { return ChannelKind(access: .private, isCache: true) }
            if name.hasPrefix("private-") { return ChannelKind(access: .private) }
            if name.hasPrefix("presence-cache-") { return ChannelKind(access: .presence, isCache: true) }
            if name.hasPrefix("presence-") { return ChannelKind(access: .presence) }
        case UInt8(ascii: "c"):
            if name.hasPrefix("cache-") { return ChannelKind(access: .public, isCache: true) }
        default: break
        }
        return ChannelKind(access: .public)
    }

    private static func classifyUser(
        _ name: Span<UInt8>, charactersMax: Int
    ) throws(ChannelNameError) -> ChannelKind {
        let id = userID(in: name)
        do throws(UserIDError) {
            try UserID.check(name.extracting(id), charactersMax: charactersMax)
        } catch {
            switch error {
            case .empty: throw .reserved
            case .tooLong(let charactersMax): throw .userIDTooLong(charactersMax: charactersMax)
            case .illegalByte(let byte, let offset): throw .illegalByte(byte, at: id.lowerBound + offset)
            }
        }
        return ChannelKind(access: .user)
    }

    @inline(__always)
    private static func isLegal(_ byte: UInt8) -> Bool {
        // One bit per ASCII byte: digits, letters and _ - = @ , . ;
        let (low, high): (UInt64, UInt64) = (0x2BFF_7000_0000_0000, 0x07FF_FFFE_87FF_FFFF)
        guard byte < 0x80 else { return false }
        return (byte < 0x40 ? low : high) >> UInt64(byte & 0x3F) & 1 == 1
    }
}
