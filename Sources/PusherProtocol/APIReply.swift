internal import Wire

/// What a reply says about one channel; nil attributes are left out (Pusher protocol §6.5, §6.7).
public struct ChannelReport: Sendable, Equatable {
    public var name: [UInt8]
    /// Distinct users; presence channels only.
    public var userCount: Int?
    /// Connections.
    public var subscriptionCount: Int?

    /// A report with the attributes that were asked for.
    public init(name: [UInt8], userCount: Int? = nil, subscriptionCount: Int? = nil) {
        self.name = name
        self.userCount = userCount
        self.subscriptionCount = subscriptionCount
    }
}

/// The bodies of HTTP API replies: always a JSON object, also when empty (Pusher protocol §6.1, PW-139, PW-158).
public enum APIReply {
    /// The `cache` of a single channel's reply (PW-162).
    public enum CachedEvent: Sendable, Equatable {
        /// Not asked for: no member.
        case notAsked
        /// Nothing cached: `null`.
        case empty
        /// The data as a JSON string literal, and the whole seconds it still lives, at least 1.
        case event(dataLiteral: [UInt8], ttlSeconds: Int)
    }

    /// Success with nothing to say.
    public static func empty(to out: inout [UInt8]) { out.append(text: "{}") }

    /// A refusal: `{"error":…,"code":…}` (Pusher protocol §6.9).
    public static func error(status: Int, text: String, to out: inout [UInt8]) {
        out.append(text: #"{"error":"#)
        out.appendQuoted(text)
        out.append(text: #","code":"#)
        JSON.appendInteger(status, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// A refusal thrown in this module.
    public static func error(_ error: APIError, to out: inout [UInt8]) {
        Self.error(status: error.status, text: error.text, to: &out)
    }

    /// `GET …/channels`, and a publish with `info` (PW-148): one entry per channel, `{}` where nothing applies.
    public static func channels(_ reports: [ChannelReport], to out: inout [UInt8]) {
        channelsStart(to: &out)
        for (index, report) in reports.enumerated() { append(report, isFirst: index == 0, to: &out) }
        channelsEnd(to: &out)
    }

    /// The same in pieces, for a list that one turn cannot make: start, each channel, end.
    public static func channelsStart(to out: inout [UInt8]) { out.append(text: #"{"channels":{"#) }

    /// One channel of the list.
    public static func append(_ report: ChannelReport, isFirst: Bool, to out: inout [UInt8]) {
        append(
            channel: report.name.span, userCount: report.userCount, subscriptionCount: report.subscriptionCount,
            isFirst: isFirst, to: &out)
    }

    /// The same without a report of its own, for lists of many.
    public static func append(
        channel name: Span<UInt8>, userCount: Int?, subscriptionCount: Int?, isFirst: Bool, to out: inout [UInt8]
    ) {
        out.append(bytesMax: name.count * JSONWriter.growth + attributesBytesMax + 4) { writer in
            writer.write(text: isFirst ? "\"" : ",\"")
            writer.write(escaping: name)
            writer.write(text: "\":")
            write(userCount: userCount, subscriptionCount: subscriptionCount, to: &writer)
        }
    }

    /// The end of the list.
    public static func channelsEnd(to out: inout [UInt8]) { out.append(text: "}}") }

    /// A publish with `info` has the same body.
    public static func publishInfo(_ reports: [ChannelReport], to out: inout [UInt8]) {
        channels(reports, to: &out)
    }

    /// A batch of which an event asked for `info` (PW-152): as many items as events; nil for one that did not ask.
    public static func batchInfo(_ reports: [ChannelReport?], to out: inout [UInt8]) {
        out.append(text: #"{"batch":["#)
        for (index, report) in reports.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            batchItem(report, to: &out)
        }
        out.append(text: "]}")
    }

    /// The same of items that were made before.
    public static func batchInfo(items: [[UInt8]], to out: inout [UInt8]) {
        out.append(text: #"{"batch":["#)
        for (index, item) in items.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            out.append(contentsOf: item)
        }
        out.append(text: "]}")
    }

    /// What a batch's reply says about one event.
    public static func batchItem(_ report: ChannelReport?, to out: inout [UInt8]) {
        if let report { appendAttributes(report, to: &out) } else { out.append(text: "{}") }
    }

    /// `GET …/channels/{name}`: also for a channel nobody is on (PW-160…PW-162).
    public static func channel(
        isOccupied: Bool, userCount: Int?, subscriptionCount: Int?, cache: CachedEvent, to out: inout [UInt8]
    ) {
        out.append(text: isOccupied ? #"{"occupied":true"# : #"{"occupied":false"#)
        if let userCount { appendCount(#","user_count":"#, userCount, to: &out) }
        if let subscriptionCount { appendCount(#","subscription_count":"#, subscriptionCount, to: &out) }
        switch cache {
        case .notAsked: break
        case .empty: out.append(text: #","cache":null"#)
        case .event(let dataLiteral, let ttlSeconds):
            out.append(text: #","cache":{"data":"#)
            out.append(contentsOf: dataLiteral)
            appendCount(#","ttl":"#, ttlSeconds, to: &out)
            out.append(UInt8(ascii: "}"))
        }
        out.append(UInt8(ascii: "}"))
    }

    /// `GET …/channels/{name}/users`: distinct ids, as text (PW-163).
    public static func users(_ ids: [[UInt8]], to out: inout [UInt8]) {
        usersStart(to: &out)
        for index in ids.indices { append(user: ids[index], isFirst: index == 0, to: &out) }
        usersEnd(to: &out)
    }

    /// The same in pieces, for a list that one turn cannot make: start, each user, end.
    public static func usersStart(to out: inout [UInt8]) { out.append(text: #"{"users":["#) }

    /// One user of the list.
    public static func append(user id: [UInt8], isFirst: Bool, to out: inout [UInt8]) {
        out.append(text: isFirst ? #"{"id":"# : #",{"id":"#)
        JSON.appendQuoted(id.span, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    /// The end of the list.
    public static func usersEnd(to out: inout [UInt8]) { out.append(text: "]}") }

    /// `GET …/connections` (Pusher protocol §6.10).
    public static func connections(_ count: Int, to out: inout [UInt8]) {
        appendCount(#"{"connections":"#, count, to: &out)
        out.append(UInt8(ascii: "}"))
    }

    private static func appendAttributes(_ report: ChannelReport, to out: inout [UInt8]) {
        out.append(bytesMax: attributesBytesMax) { writer in
            write(userCount: report.userCount, subscriptionCount: report.subscriptionCount, to: &writer)
        }
    }

    /// `{"user_count":` and `,"subscription_count":`, a number each, and the end.
    private static let attributesBytesMax = 14 + 22 + 2 * JSONWriter.integerBytesMax + 1

    @inline(__always)
    private static func write(userCount: Int?, subscriptionCount: Int?, to writer: inout JSONWriter) {
        writer.write(text: "{")
        if let userCount {
            writer.write(text: #""user_count":"#)
            writer.write(integer: userCount)
        }
        if let subscriptionCount {
            writer.write(text: userCount == nil ? #""subscription_count":"# : #","subscription_count":"#)
            writer.write(integer: subscriptionCount)
        }
        writer.write(text: "}")
    }

    private static func appendCount(_ head: StaticString, _ count: Int, to out: inout [UInt8]) {
        out.append(text: head)
        JSON.appendInteger(count, to: &out)
    }
}
