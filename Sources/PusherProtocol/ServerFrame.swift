internal import Wire

/// The text of every frame the broker sends (Pusher protocol §2–§5). Each function appends one JSON object to `out`.
///
/// `data` is a JSON *string* in all of them but `pusher:error` and `pusher:subscription_error`, where it is an object
/// (rule 1 of Pusher protocol §0). Frames about the connection have no `channel` member at all (PW-183). Any thread; no `String` is built
/// but for messages to people.
public enum ServerFrame {
    /// The first frame of every connection (PW-001…PW-005). `activityTimeoutSeconds` must be at least 1.
    public static func connectionEstablished(
        socketID: SocketID, activityTimeoutSeconds: Int, to out: inout [UInt8]
    ) {
        out.append(bytesMax: 112 + SocketID.bytesMax + JSONWriter.integerBytesMax) { pen in
            pen.write(text: #"{"event":"pusher:connection_established","data":"{\"socket_id\":\""#)
            socketID.write(to: &pen)
            pen.write(text: #"\",\"activity_timeout\":"#)
            pen.write(integer: activityTimeoutSeconds)
            pen.write(text: #"}"}"#)
        }
    }

    /// The reply to `pusher:ping` (PW-024).
    public static func pong(to out: inout [UInt8]) {
        out.append(text: #"{"event":"pusher:pong","data":"{}"}"#)
    }

    /// A failure; whether the connection also closes is the caller's business (Pusher protocol §2.5, PW-038).
    ///
    /// `code` nil is sent as `null`, which is how hosted Pusher reports that one command failed.
    public static func error(code: Int?, message: String, to out: inout [UInt8]) {
        out.append(text: #"{"event":"pusher:error","data":{"code":"#)
        if let code { JSON.appendInteger(code, to: &out) } else { out.append(text: "null") }
        out.append(text: #","message":"#)
        out.appendQuoted(message)
        out.append(text: "}}")
    }

    /// The answer to a subscription of any but a presence channel (PW-039).
    public static func subscriptionSucceeded(channel: Span<UInt8>, to out: inout [UInt8]) {
        out.append(bytesMax: 96 + bytesMax(channel)) { pen in
            pen.write(text: #"{"event":"pusher_internal:subscription_succeeded","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"{}"}"#)
        }
    }

    /// The answer to a refused subscription (Pusher protocol §3.4, PW-063). `channelLiteral` is any JSON string literal, since a
    /// name that is refused need not be a name, nor even text.
    public static func subscriptionError(
        channelLiteral: Span<UInt8>, _ failure: SubscriptionFailure, error: String, to out: inout [UInt8]
    ) {
        out.append(text: #"{"event":"pusher:subscription_error","channel":"#)
        out.append(bytes: channelLiteral)
        out.append(text: #","data":{"type":"#)
        out.appendQuoted(failure.type)
        out.append(text: #","error":"#)
        out.appendQuoted(error)
        out.append(text: #","status":"#)
        JSON.appendInteger(failure.status, to: &out)
        out.append(text: "}}")
    }

    /// A cache channel has nothing to replay (Pusher protocol §3.8, PW-085).
    public static func cacheMiss(channel: Span<UInt8>, to out: inout [UInt8]) {
        out.append(bytesMax: 64 + bytesMax(channel)) { pen in
            pen.write(text: #"{"event":"pusher:cache_miss","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"{}"}"#)
        }
    }

    /// How many connections a channel has (Pusher protocol §3.9, PW-181).
    public static func subscriptionCount(channel: Span<UInt8>, count: Int, to out: inout [UInt8]) {
        out.append(bytesMax: 112 + bytesMax(channel) + JSONWriter.integerBytesMax) { pen in
            pen.write(text: #"{"event":"pusher_internal:subscription_count","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"{\"subscription_count\":"#)
            pen.write(integer: count)
            pen.write(text: #"}"}"#)
        }
    }

    /// The answer to `pusher:signin`; `userData` is the decoded text exactly as the client sent it (PW-109).
    public static func signinSuccess(userData: Span<UInt8>, to out: inout [UInt8]) {
        out.append(text: #"{"event":"pusher:signin_success","data":"{\"user_data\":\""#)
        out.appendEscapedTwice(userData)
        out.append(text: #"\"}"}"#)
    }

    /// Which watched users are there and which are not; an empty list is left out (Pusher protocol §5.3, PW-119).
    public static func watchlistEvents(online: [[UInt8]], offline: [[UInt8]], to out: inout [UInt8]) {
        out.append(text: #"{"event":"pusher_internal:watchlist_events","data":"{\"events\":["#)
        appendWatchlist(#"{\"name\":\"online\",\"user_ids\":["#, online, to: &out)
        if !online.isEmpty, !offline.isEmpty { out.append(UInt8(ascii: ",")) }
        appendWatchlist(#"{\"name\":\"offline\",\"user_ids\":["#, offline, to: &out)
        out.append(text: #"]}"}"#)
    }

    /// An event on a channel (Pusher protocol §3.10, §4; PW-042, PW-096). The hot one.
    ///
    /// `nameLiteral` and `dataLiteral` are JSON string literals with their quotes, as the publisher sent them, so encoding
    /// is a few copies into memory that is reserved once. With `isOpen` the object is left without its end, for `appendUserID`.
    public static func event(
        nameLiteral: Span<UInt8>, channel: Span<UInt8>, dataLiteral: Span<UInt8>, isOpen: Bool = false,
        to out: inout [UInt8]
    ) {
        let bytesMax = 48 + nameLiteral.count + bytesMax(channel) + dataLiteral.count
        out.append(bytesMax: bytesMax) { pen in
            pen.write(text: #"{"event":"#)
            pen.write(bytes: nameLiteral)
            pen.write(text: #","channel":""#)
            write(channel, to: &pen)
            pen.write(text: #"","data":"#)
            pen.write(bytes: dataLiteral)
            if !isOpen { pen.write(text: "}") }
        }
    }

    /// Ends an open event with its sender: that of a client event on a presence channel (PW-096).
    public static func appendUserID(_ userID: Span<UInt8>, to out: inout [UInt8]) {
        out.append(bytesMax: 16 + JSONWriter.growth * userID.count) { pen in
            pen.write(text: #","user_id":""#)
            pen.write(escaping: userID)
            pen.write(text: "\"}")
        }
    }

    /// Only a user channel's name can hold a byte that JSON escapes: its id is not bound to the channel charset.
    @inline(__always)
    private static func mayNeedEscaping(_ name: Span<UInt8>) -> Bool { !name.isEmpty && name[0] == UInt8(ascii: "#") }

    /// Of a channel's name inside a literal.
    @inline(__always)
    static func bytesMax(_ channel: Span<UInt8>) -> Int {
        (mayNeedEscaping(channel) ? JSONWriter.growth : 1) * channel.count
    }

    /// Writes a channel's name inside a literal.
    @inline(__always)
    static func write(_ channel: Span<UInt8>, to pen: inout JSONWriter) {
        if mayNeedEscaping(channel) { pen.write(escaping: channel) } else { pen.write(bytes: channel) }
    }

    private static func appendWatchlist(_ head: StaticString, _ ids: [[UInt8]], to out: inout [UInt8]) {
        guard !ids.isEmpty else { return }
        out.append(text: head)
        for index in ids.indices {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            let id = ids[index]
            appendIDFragment(userID: id.span, to: &out)
        }
        out.append(text: "]}")
    }
}
