/// What a run does.
enum Scenario: String, CaseIterable, Sendable {
    case connect, idle, fanout, pubsub, rest
    case clientEvents = "client-events"
    case presence, churn
    case reconnectStorm = "reconnect-storm"
    case leave, mixed, search

    var help: String {
        switch self {
        case .connect: "open --connections clients over --channels, each up to its confirmed subscription"
        case .idle: "hold --connections clients in --channels channels; memory of each and processor time meanwhile"
        case .fanout: "publish to one channel with --subscribers subscribers"
        case .pubsub: "publish to --channels channels with --subscribers each, --channels-per-client per client"
        case .rest:
            "signed API calls on --publishers connections: single events, --batch N, or --query channel|channels"
        case .clientEvents: "client events on --channels private channels with --peers clients each"
        case .presence: "--connections users join one presence channel, then leave it"
        case .churn: "--connections clients subscribe and unsubscribe without end, --in-flight at a time"
        case .reconnectStorm: "--connections clients lose their connections at once; the time until all are back"
        case .leave: "--connections clients vanish at once; memory before and after, and how new clients fare meanwhile"
        case .mixed: "fanout, with --members clients that churn beside it"
        case .search: "fanout with a rising rate until a service level (--slo) breaks"
        }
    }

    /// Which times the summary, the plot and the service levels speak of.
    var mainLatency: any KeyPath<Latencies, Histogram> & Sendable {
        switch self {
        case .rest: \.reply
        case .connect, .idle, .reconnectStorm, .leave: \.connect
        case .presence, .churn: \.join
        default: \.delivery
        }
    }

    var latencyMeaning: String {
        switch self {
        case .rest: "scheduled → response"
        case .connect, .idle, .reconnectStorm: "dial → subscribed"
        case .leave: "scheduled → greeted"
        case .presence, .churn: "subscribe → confirmed"
        default: "scheduled → received"
        }
    }
}
