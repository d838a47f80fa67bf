import BrokerCore
import Crypto
import PusherProtocol

/// The texts a client sends and gets, written out by hand so that the tests share no encoder with what they test.
enum Text {
    /// The inside of a JSON string literal.
    static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { out.unicodeScalars.append("\\") }
            out.unicodeScalars.append(scalar)
        }
        return out
    }

    static func literal(_ text: String) -> String { "\"" + escaped(text) + "\"" }

    static func subscribe(_ channel: String, auth: String = "", data: String? = nil) -> String {
        let member = data.map { ",\"channel_data\":" + literal($0) } ?? ""
        return #"{"event":"pusher:subscribe","data":{"auth":"\#(auth)","channel":"\#(channel)"\#(member)}}"#
    }

    static func unsubscribe(_ channel: String) -> String {
        #"{"event":"pusher:unsubscribe","data":{"channel":"\#(channel)"}}"#
    }

    static func signIn(auth: String, userData: String) -> String {
        #"{"event":"pusher:signin","data":{"auth":"\#(auth)","user_data":\#(literal(userData))}}"#
    }

    /// `data` is raw JSON.
    static func clientEvent(_ name: String, _ channel: String, data: String) -> String {
        #"{"event":"\#(name)","channel":"\#(channel)","data":\#(data)}"#
    }

    static func publish(_ name: String, _ channels: [String], data: String, except: String? = nil) -> String {
        let list = channels.map(literal).joined(separator: ",")
        let excluded = except.map { #","socket_id":"\#($0)""# } ?? ""
        return #"{"name":"\#(name)","channels":[\#(list)],"data":\#(literal(data))\#(excluded)}"#
    }

    static func event(_ name: String, _ channel: String, data: String, user: String? = nil) -> String {
        let sender = user.map { #","user_id":"\#($0)""# } ?? ""
        return #"{"event":"\#(name)","channel":"\#(channel)","data":\#(literal(data))\#(sender)}"#
    }

    static func succeeded(_ channel: String) -> String {
        event("pusher_internal:subscription_succeeded", channel, data: "{}")
    }

    static func count(_ channel: String, _ count: Int) -> String {
        event("pusher_internal:subscription_count", channel, data: #"{"subscription_count":\#(count)}"#)
    }

    static func cacheMiss(_ channel: String) -> String { event("pusher:cache_miss", channel, data: "{}") }

    static func memberAdded(_ channel: String, _ user: String, info: String?) -> String {
        let info = info.map { #","user_info":"# + $0 } ?? ""
        return event("pusher_internal:member_added", channel, data: #"{"user_id":"\#(user)"\#(info)}"#)
    }

    static func memberRemoved(_ channel: String, _ user: String) -> String {
        event("pusher_internal:member_removed", channel, data: #"{"user_id":"\#(user)"}"#)
    }

    static func watchlist(online: [String], offline: [String]) -> String {
        var events: [String] = []
        for (name, ids) in [("online", online), ("offline", offline)] where !ids.isEmpty {
            events.append(#"{"name":"\#(name)","user_ids":[\#(ids.map(literal).joined(separator: ","))]}"#)
        }
        let data = #"{"events":[\#(events.joined(separator: ","))]}"#
        return #"{"event":"pusher_internal:watchlist_events","data":\#(literal(data))}"#
    }

    static func signedIn(_ userData: String) -> String {
        let data = #"{"user_data":\#(literal(userData))}"#
        return #"{"event":"pusher:signin_success","data":\#(literal(data))}"#
    }

    /// The text of a message.
    static func of(_ json: some Collection<UInt8>) -> String { String(decoding: json, as: UTF8.self) }

    /// What stands between two marks; nil if they are not there.
    static func between(_ start: String, _ end: String, in text: String) -> String? {
        let (bytes, first, last) = (Array(text.utf8), Array(start.utf8), Array(end.utf8))
        guard let from = index(of: first, in: bytes, after: 0) else { return nil }
        let begin = from + first.count
        guard let to = index(of: last, in: bytes, after: begin) else { return nil }
        return String(decoding: bytes[begin..<to], as: UTF8.self)
    }

    private static func index(of wanted: [UInt8], in bytes: [UInt8], after start: Int) -> Int? {
        // Without slices: to make a generic type is one lock of the Swift runtime, for which the threads of the stress test queue up.
        var at = start
        while at + wanted.count <= bytes.count {
            var length = 0
            while length < wanted.count, bytes[at + length] == wanted[length] { length += 1 }
            if length == wanted.count { return at }
            at += 1
        }
        return nil
    }
}

extension LoopBroker {
    func receive(_ slot: UInt32, _ text: String) {
        let bytes = Array(text.utf8)
        receive(slot: slot, message: bytes.span)
    }

    func socketText(_ slot: UInt32) -> String {
        var text: [UInt8] = []
        socketID(of: slot).append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
