internal import BrokerCore
internal import PusherProtocol
internal import Wire

/// What goes over the wire: an event's object, and the request that carries some of them (Pusher protocol §7.1, §7.2).
public enum Envelope {
    /// The object of one event in the envelope's `events`, as JSON.
    public static func object(of happening: Happening) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(128 + happening.channel.count)
        out.append(text: #"{"name":"#)
        append(happening.kind.name, to: &out)
        if !happening.channel.isEmpty {
            out.append(text: #","channel":"#)
            JSON.appendQuoted(happening.channel.span, to: &out)
        }
        append(happening.payload, to: &out)
        if happening.leftOut > 0 {
            out.append(text: #","left_out":"#)
            JSON.appendInteger(happening.leftOut, to: &out)
        }
        out.append(text: "}")
        return out
    }

    private static func append(_ payload: Happening.Payload, to out: inout [UInt8]) {
        switch payload {
        case .none: break
        case .user(let id):
            out.append(text: #","user_id":"#)
            JSON.appendQuoted(id.span, to: &out)
        case .count(let count):
            out.append(text: #","subscription_count":"#)
            JSON.appendInteger(count, to: &out)
        case .clientEvent(let event): append(event, to: &out)
        case .refusal(let refusal):
            out.append(text: #","code":"#)
            JSON.appendInteger(refusal.code, to: &out)
            append("reason", refusal.reason, to: &out)
            append("address", refusal.address, to: &out)
        case .slowConsumer(let slow):
            append(slow.socketID, to: &out)
            append("reason", slow.reason, to: &out)
            append("address", slow.address, to: &out)
            guard let bytes = slow.backlogBytes else { return }
            out.append(text: #","backlog_bytes":"#)
            JSON.appendInteger(bytes, to: &out)
        }
    }

    /// Name and data are literals already, and the data of a client that sent no text is its JSON text.
    private static func append(_ event: ChannelEdge.Event, to out: inout [UInt8]) {
        out.append(text: #","event":"#)
        out.append(bytes: event.json.span.extracting(event.name))
        out.append(text: #","data":"#)
        LiteralRepair.append(event.json.span.extracting(event.data), to: &out)
        if let sender = event.socketID { append(sender, to: &out) }
        guard let userID = event.userID else { return }
        out.append(text: #","user_id":"#)
        JSON.appendQuoted(userID.span, to: &out)
    }

    private static func append(_ socketID: SocketID, to out: inout [UInt8]) {
        out.append(text: #","socket_id":""#)
        socketID.append(to: &out)
        out.append(text: "\"")
    }

    private static func append(_ name: StaticString, _ value: String, to out: inout [UInt8]) {
        out.append(text: ",\"")
        out.append(text: name)
        out.append(text: "\":")
        append(value, to: &out)
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        let utf8 = Array(text.utf8)
        JSON.appendQuoted(utf8.span, to: &out)
    }

    /// `{"time_ms":…,"events":[…]}`: the time at which the first of them happened.
    /// - Parameter events: of one app, in their order; never empty.
    public static func body(of events: [WebhookEvent]) -> [UInt8] {
        precondition(!events.isEmpty, "a request tells of something")
        var out: [UInt8] = []
        out.reserveCapacity(events.reduce(48) { $0 + $1.json.count + 1 })
        out.append(text: #"{"time_ms":"#)
        JSON.appendInteger(Int(events[0].unixMilliseconds), to: &out)
        out.append(text: #","events":["#)
        for (number, event) in events.enumerated() {
            if number > 0 { out.append(text: ",") }
            out.append(contentsOf: event.json)
        }
        out.append(text: "]}")
        return out
    }
}
