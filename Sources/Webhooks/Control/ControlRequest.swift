public import BrokerCore
public import Wire

/// What somebody asks of the running process over its control socket: read once, where it comes in.
///
///     GET  /webhooks[?app=ID]                     POST /webhooks/retry  {"id": ID} or {"all": true}
///     GET  /webhooks/ID                           POST /webhooks/purge  the same
///     GET  /webhooks/attempts[?app=ID][&limit=N]  POST /webhooks/test   {"url": URL, "app": ID, "allowPrivate": true}
public enum ControlRequest: Sendable, Equatable {
    /// How the endpoints are; nil: those of all apps.
    case endpoints(app: String?)
    /// What an ID stands for.
    case explain(WebhookName)
    /// The newest attempts; `limit`: 1...1000.
    case attempts(app: String?, limit: Int)
    /// Dead letters wait again, and what waits is tried at once.
    case retry(WebhookChoice)
    /// Dead letters are forgotten.
    case purge(WebhookChoice)
    /// One event is sent to a URL at once, in the name of an app; nil: of the only one. `allowsPrivate`: as to an endpoint that says so.
    case test(WebURL, app: String?, allowsPrivate: Bool)

    public static let attemptsMax = 1_000
}

/// What people name by an ID.
public enum WebhookName: Sendable, Equatable, CustomStringConvertible {
    case endpoint(WebhookEndpointID)
    case event(WebhookEvent.ID)

    /// - Returns: nil when it is neither's form.
    public init?(_ text: String) {
        if let endpoint = WebhookEndpointID(text) {
            self = .endpoint(endpoint)
        } else if let event = WebhookEvent.ID(text) {
            self = .event(event)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .endpoint(let endpoint): endpoint.description
        case .event(let event): event.description
        }
    }
}

public enum WebhookChoice: Sendable, Equatable {
    case all
    case one(WebhookName)
}

/// Whoever knows the answers.
public protocol ControlDuties: Sendable {
    /// Answers at once or later, on any thread; `reply` is called once. Called on the control socket's thread, which must not be kept.
    func answer(_ request: ControlRequest, _ reply: @escaping @Sendable (ControlReply) -> Void)
}
