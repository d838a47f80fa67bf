internal import Wire

/// The parameters of the calls that read state (Pusher protocol §6.7).
public enum StateRequest {
    /// What `GET …/channels` asks for.
    public struct Channels: Sendable, Equatable {
        /// Only channels whose name starts so; empty: all.
        public var prefix: [UInt8]
        /// `user_count` and `subscription_count` only.
        public var info: ChannelInfo
    }

    /// Reads the parameters of `GET …/channels`; 400 for `user_count` without a presence prefix (PW-159).
    public static func channels(_ query: APIQuery) throws(APIError) -> Channels {
        let prefix = query.value("filter_by_prefix") ?? []
        let info = try info(query, allowed: [.userCount, .subscriptionCount])
        guard !info.contains(.userCount) || prefix.span.hasPrefix("presence-") else {
            throw .invalid("\"info\": user_count needs a filter_by_prefix that starts with presence-")
        }
        return Channels(prefix: prefix, info: info)
    }

    /// Reads the `info` of `GET …/channels/{name}`; 400 for an attribute the channel cannot have (PW-161, PW-162).
    public static func channel(_ kind: ChannelKind, _ query: APIQuery) throws(APIError) -> ChannelInfo {
        let info = try info(query, allowed: [.userCount, .subscriptionCount, .cache])
        guard !info.contains(.userCount) || kind.isPresence else {
            throw .invalid("\"info\": user_count is only available for presence channels")
        }
        guard !info.contains(.cache) || kind.isCache else {
            throw .invalid("\"info\": cache is only available for cache channels")
        }
        return info
    }

    /// Checks that `GET …/channels/{name}/users` names a presence channel (PW-163).
    public static func users(_ kind: ChannelKind) throws(APIError) {
        guard kind.isPresence else { throw .invalid("Users can only be listed for presence channels") }
    }

    /// The channel a path segment names, percent-decoded once (PW-164).
    public static func channelName(
        segment: Span<UInt8>, bytesMax: Int, userIDCharactersMax: Int
    ) throws(APIError) -> (name: [UInt8], kind: ChannelKind) {
        guard let name = Percent.decode(segment) else {
            throw .invalid("The channel name in the path has a malformed percent escape")
        }
        do throws(ChannelNameError) {
            let kind = try ChannelName.classify(
                name.span, bytesMax: bytesMax, userIDCharactersMax: userIDCharactersMax)
            return (name, kind)
        } catch {
            throw .invalid("Invalid channel name in the path: \(error.text)")
        }
    }

    /// The user a path segment names, percent-decoded once. 400 for what cannot be a user's id.
    public static func userID(segment: Span<UInt8>, charactersMax: Int) throws(APIError) -> [UInt8] {
        guard let id = Percent.decode(segment) else {
            throw .invalid("The user id in the path has a malformed percent escape")
        }
        do throws(UserIDError) { try UserID.check(id.span, charactersMax: charactersMax) } catch {
            throw .invalid("The user id in the path \(error.text)")
        }
        return id
    }

    private static func info(_ query: APIQuery, allowed: ChannelInfo) throws(APIError) -> ChannelInfo {
        let text = query.list("info") ?? []
        return try ChannelInfo.parse(text.span, allowed: allowed, label: "\"info\"")
    }
}
