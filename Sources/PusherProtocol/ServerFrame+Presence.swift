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
        let textBytes = bytesMax(channel) + idsEscaped.count + hashEscaped.count
        out.append(bytesMax: 144 + JSONWriter.integerBytesMax + textBytes) { pen in
            pen.write(text: #"{"event":"pusher_internal:subscription_succeeded","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"{\"presence\":{\"count\":"#)
            pen.write(integer: count)
            pen.write(text: #",\"ids\":["#)
            pen.write(bytes: idsEscaped)
            pen.write(text: #"],\"hash\":{"#)
            pen.write(bytes: hashEscaped)
            pen.write(text: #"}}}"}"#)
        }
    }

    /// The two fragments of a member, each in memory of its own size: a roster keeps them.
    public static func fragments(userID: Span<UInt8>, userInfoJSON: [UInt8]?) -> (id: [UInt8], hash: [UInt8]) {
        var (id, hash): ([UInt8], [UInt8]) = ([], [])
        id.reserveCapacity(userID.count + 4)
        appendIDFragment(userID: userID, to: &id)
        guard let info = userInfoJSON else {
            appendHashFragment(userID: userID, userInfoJSON: nil, to: &hash)
            return (id, hash)
        }
        hash.reserveCapacity(id.count + 1 + JSON.escapedBytesMax(info.span))
        appendHashFragment(userID: userID, userInfoJSON: info.span, to: &hash)
        return (id, hash)
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
        out.append(bytesMax: 96 + bytesMax(channel)) { pen in
            pen.write(text: #"{"event":"pusher_internal:member_added","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"{\"user_id\":"#)
        }
        appendIDFragment(userID: userID, to: &out)
        if let userInfoJSON {
            out.append(text: #",\"user_info\":"#)
            JSON.appendEscaped(userInfoJSON, to: &out)
        }
        out.append(text: #"}"}"#)
    }

    /// A user's last connection left (PW-075).
    public static func memberRemoved(channel: Span<UInt8>, userID: Span<UInt8>, to out: inout [UInt8]) {
        out.append(bytesMax: 96 + bytesMax(channel)) { pen in
            pen.write(text: #"{"event":"pusher_internal:member_removed","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"{\"user_id\":"#)
        }
        appendIDFragment(userID: userID, to: &out)
        out.append(text: #"}"}"#)
    }
}
