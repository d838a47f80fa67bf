internal import BrokerCore
internal import PusherProtocol
internal import Wire

// The shapes in which the control socket tells of webhooks, and the console later. Times are milliseconds since 1970.

extension EndpointReport {
    /// `retryMilliseconds`: null when no attempt is planned.
    var json: [UInt8] {
        JSONObjectText.of {
            $0.add("id", id.description)
            $0.add("app", app)
            $0.add("url", url)
            $0.add("waiting", waiting)
            $0.add("oldestMilliseconds", Int(oldestMilliseconds))
            $0.add("deadLetters", deadLetters)
            $0.add("failures", failures)
            $0.add("retryMilliseconds", retryMilliseconds.map(Int.init))
            $0.add("removed", isRemoved)
        }
    }
}

extension AttemptRecord {
    /// `result` is `delivered`, `refused` (a status that is no success) or `failed`, with the kind of failure and a sentence.
    var json: [UInt8] {
        JSONObjectText.of {
            $0.add("time", Int(unixMilliseconds))
            $0.add("app", app)
            $0.add("endpoint", endpoint.description)
            $0.add("event", first.description)
            $0.add("events", events)
            $0.add("attempt", attempt)
            $0.add("milliseconds", milliseconds)
            switch outcome {
            case .answered(let status, let retryAfter):
                $0.add("result", outcome.isSuccess ? "delivered" : "refused")
                $0.add("status", status)
                if let retryAfter { $0.add("retryAfterSeconds", retryAfter) }
            case .failed(let failure):
                $0.add("result", "failed")
                $0.add("failure", failure.kind.rawValue)
                $0.add("text", failure.text)
            }
        }
    }
}

extension DeadLetter {
    /// Without what happened: that is asked for by the event's ID.
    var json: [UInt8] {
        JSONObjectText.of {
            $0.add("event", event.id.description)
            $0.add("name", event.kind.name)
            $0.add("channel", utf8: event.channel)
            $0.add("happened", Int(event.unixMilliseconds))
            $0.add("time", Int(unixMilliseconds))
            $0.add("reason", reason)
        }
    }
}

extension WebhookEvent {
    /// `json`: the object that receivers get.
    var controlJSON: [UInt8] {
        JSONObjectText.of {
            $0.add("id", id.description)
            $0.add("app", app)
            $0.add("name", kind.name)
            $0.add("channel", utf8: channel)
            $0.add("happened", Int(unixMilliseconds))
            $0.add("json", json: json)
        }
    }
}

extension WebhookEndpoint {
    /// What it wants and how it is told. Of further header fields the names only: their values may be secrets.
    var json: [UInt8] {
        JSONObjectText.of {
            $0.add("events", texts: WebhookKind.allCases.filter(kinds.contains).map(\.name))
            $0.add("channelPrefix", utf8: channelPrefix)
            $0.add("channelSuffix", utf8: channelSuffix)
            $0.add("headers", texts: headers.map(\.name))
            $0.add("batchMilliseconds", batchMilliseconds)
            $0.add("batchEvents", batchEventsMax)
            $0.add("timeoutSeconds", timeoutSeconds)
            $0.add("allowPrivate", allowsPrivate)
        }
    }
}
