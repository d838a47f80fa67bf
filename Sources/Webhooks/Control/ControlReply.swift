public import BrokerCore
public import Wire

/// What is answered over the control socket: a status of HTTP and a JSON object. It is an error where it is thrown in the place of a request.
public struct ControlReply: Error, Sendable, Equatable {
    /// 200; 400: what was asked for cannot be; 404: there is nothing of that name; 503: it cannot be done now.
    public var status: Int
    public var json: [UInt8]

    /// - Parameter text: a sentence that says what to do.
    public static func failure(_ status: Int, _ text: String) -> ControlReply {
        ControlReply(status: status, json: JSONObjectText.of { $0.add("error", text) })
    }

    /// `{"endpoints": […]}`.
    public static func endpoints(_ reports: [EndpointReport]) -> ControlReply {
        ControlReply(status: 200, json: JSONObjectText.of { $0.add("endpoints", list: reports.map(\.json)) })
    }

    /// `{"attempts": […]}`, the newest last.
    public static func attempts(_ records: [AttemptRecord]) -> ControlReply {
        ControlReply(status: 200, json: JSONObjectText.of { $0.add("attempts", list: records.map(\.json)) })
    }

    /// `{"endpoint": {…}, "settings": {…}, "deadLetters": […], "attempts": […]}`.
    /// - Parameters:
    ///   - settings: nil: it is not configured any more.
    ///   - deadLetters: the newest, as many as are worth showing.
    public static func endpoint(
        _ report: EndpointReport, settings: WebhookEndpoint?, deadLetters: [DeadLetter], attempts: [AttemptRecord]
    ) -> ControlReply {
        let json = JSONObjectText.of {
            $0.add("endpoint", json: report.json)
            if let settings { $0.add("settings", json: settings.json) }
            $0.add("deadLetters", list: deadLetters.map(\.json))
            $0.add("attempts", list: attempts.map(\.json))
        }
        return ControlReply(status: 200, json: json)
    }

    /// `{"event": {…}, "places": […]}`: where an event is. Of one that is nowhere any more a failure says so.
    public static func event(_ event: WebhookEvent, _ places: [EventPlace]) -> ControlReply {
        let json = JSONObjectText.of {
            $0.add("event", json: event.controlJSON)
            $0.add("places", list: places.map(\.json))
        }
        return ControlReply(status: 200, json: json)
    }

    /// `{"events": N}`: so many dead letters wait again, or are forgotten. `"endpoints"`: so many are tried at once.
    public static func changed(events: Int, endpoints: Int) -> ControlReply {
        let json = JSONObjectText.of {
            $0.add("events", events)
            $0.add("endpoints", endpoints)
        }
        return ControlReply(status: 200, json: json)
    }

    /// `{"test": {…}}`: how the one attempt went, whatever came of it.
    public static func tested(_ record: AttemptRecord, _ url: WebURL) -> ControlReply {
        let json = JSONObjectText.of {
            $0.add("url", url.shown)
            $0.add("attempt", json: record.json)
        }
        return ControlReply(status: 200, json: json)
    }
}

/// Where an event is: one of these for each endpoint that has it.
public struct EventPlace: Sendable, Equatable {
    public enum State: String, Sendable, CaseIterable {
        case waiting
        /// A request with it is under way.
        case sending
        /// A dead letter.
        case dead
    }

    public var endpoint: WebhookEndpointID
    public var url: String
    public var state: State
    /// Of a dead letter: why.
    public var reason: String

    public init(endpoint: WebhookEndpointID, url: String, state: State, reason: String = "") {
        (self.endpoint, self.url, self.state, self.reason) = (endpoint, url, state, reason)
    }

    var json: [UInt8] {
        JSONObjectText.of {
            $0.add("endpoint", endpoint.description)
            $0.add("url", url)
            $0.add("state", state.rawValue)
            if !reason.isEmpty { $0.add("reason", reason) }
        }
    }
}
