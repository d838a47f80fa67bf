internal import Wire

/// The frames of presence channels (Pusher protocol §3.3, §3.7).
///
/// A roster keeps, per member, the two fragments below as they stand inside the `data` string, so that a snapshot of a
/// hundred members is copied and not encoded again for every subscriber.
extension ServerFrame {
    /// The answer to a subscription of a presence channel (PW-068…PW-070).
    ///
    /// `count`: distinct users. `idsEscaped`: `appendIDFragment` of each, with commas between. `hashEscaped`: likewise
    /// of `appendHashFragment`, same users.
    public static func presenceSucceeded(
        channel: Span<UInt8>, count: Int, idsEscaped: Span<UInt8>, hashEscaped: Span<UInt8>, to out: inout [UInt8]
    ) {
        out.append(text: #"{"event":"pusher_internal:subscription_succeeded","channel":"#)
        appendChannel(channel, to: &out)
        out.append(text: #","data":"{\"presence\":{\"count\":"#)
        JSON.appendInteger(count, to: &out)
        out.append(text: #",\"ids\":["#)
        out.append(bytes: idsEscaped)
        out.append(text: #"],\"hash\":{"#)
        out.append(bytes: hashEscaped)
        out.append(text: #"}}}"}"#)
    }

    /// Appends `\"u1\"`: a user id as it stands inside a frame's `data` string.
    public static func appendIDFragment(userID: Span<UInt8>, to out: inout [UInt8]) {
        out.append(text: #"\""#)
        out.appendEscapedTwice(userID)
        out.append(text: #"\""#)
    }

    /// Appends `\"u1\":{…}`, with `null` for a member without `user_info` (PW-070).
    ///
    /// `userInfoJSON` is valid raw JSON text; it is escaped, not read, so the client gets what the app signed.
    public static func appendHashFragment(userID: Span<UInt8>, userInfoJSON: Span<UInt8>?, to out: inout [UInt8]) {
        appendIDFragment(userID: userID, to: &out)
        out.append(UInt8(ascii: ":"))
        if let userInfoJSON {
            JSON.appendEscaped(userInfoJSON, to: &out)
        } else {
            out.append(text: "null")
        }
    }

    /// A user's first connection joined (PW-072). The member `user_info` is left out when there is none.
    public static func memberAdded(
        channel: Span<UInt8>, userID: Span<UInt8>, userInfoJSON: Span<UInt8>?, to out: inout [UInt8]
    ) {
        out.append(text: #"{"event":"pusher_internal:member_added","channel":"#)
        appendChannel(channel, to: &out)
        out.append(text: #","data":"{\"user_id\":"#)
        appendIDFragment(userID: userID, to: &out)
        if let userInfoJSON {
            out.append(text: #",\"user_info\":"#)
            JSON.appendEscaped(userInfoJSON, to: &out)
        }
        out.append(text: #"}"}"#)
    }

    /// A user's last connection left (PW-075).
    public static func memberRemoved(channel: Span<UInt8>, userID: Span<UInt8>, to out: inout [UInt8]) {
        out.append(text: #"{"event":"pusher_internal:member_removed","channel":"#)
        appendChannel(channel, to: &out)
        out.append(text: #","data":"{\"user_id\":"#)
        appendIDFragment(userID: userID, to: &out)
        out.append(text: #"}"}"#)
    }
}
