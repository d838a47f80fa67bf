internal import BrokerCore
internal import Crypto
internal import PusherProtocol

/// From edges to events: takes what happened, waits out the time of a return, keeps what some endpoint wants, and gives it its name. On one thread.
struct EventSource: ~Copyable {
    /// An event, who wants it, and from when on it is tried.
    struct Event {
        var entry: SpoolEntry
        var sinceMilliseconds: UInt64
    }

    /// An app that has endpoints.
    private struct Watched {
        var id: String
        var endpoints: [WebhookEndpoint]
    }

    private let broker: SharedBroker
    private let consumer: EdgeConsumer
    private var story = EdgeStory(returnMilliseconds: 0)
    private var apps: [Int: Watched] = [:]
    private let run = Randomness.uint64()
    private var next: UInt64
    private var isEnding = false

    /// - Parameter next: the number of the first event.
    init(_ broker: SharedBroker, _ consumer: EdgeConsumer, next: UInt64) {
        (self.broker, self.consumer, self.next) = (broker, consumer, next)
    }

    /// Times at which somebody was back, so that nothing was told.
    var suppressed: UInt64 { story.suppressed }
    /// What happened and was lost because too much waited.
    var lost: UInt64 { story.counts.lost }
    /// Those who may still come back.
    var waitingCount: Int { story.waiting }
    /// Whether `take` has something to do.
    func hasWork(_ now: UInt64) -> Bool {
        consumer.queuedBytes > 0 || story.mustRead || story.nextDue.map { $0 <= now } ?? false
    }

    /// What another process has numbered is older.
    mutating func continueFrom(_ number: UInt64) { next = max(next, number) }

    /// Takes over what is configured now: asks for the edges of each app that its endpoints need.
    /// - Returns: where the requests go.
    mutating func configure(_ directory: AppDirectory, returnMilliseconds: Int) -> [DeliveryTarget] {
        story.returnMilliseconds = returnMilliseconds
        var (targets, watched): ([DeliveryTarget], [Int: Watched]) = ([], [:])
        for app in directory.apps {
            guard !app.isClosed, !app.settings.webhooks.isEmpty, let key = app.keys.first else {
                if apps[app.index] != nil { story.follow([], of: app, by: consumer) }
                continue
            }
            let endpoints = app.settings.webhooks
            watched[app.index] = Watched(id: app.settings.id, endpoints: endpoints)
            story.follow(endpoints.reduce([]) { $0.union($1.kinds) }, of: app, by: consumer)
            targets += endpoints.map { DeliveryTarget(endpoint: $0, app: app.settings.id, key: key) }
        }
        apps = watched
        return targets
    }

    /// From now on nothing waits for a return.
    mutating func end() { isEnding = true }

    /// Takes everything that has happened, and is due to be told; of the registry, where it must be read, a part.
    mutating func take(_ now: Moment, _ body: (Event) -> Void) {
        story.take(from: consumer)
        story.advance(to: now.milliseconds)
        if isEnding { story.releaseAll() }
        if story.mustRead { story.read(broker) }
        let (apps, run) = (apps, run)
        var next = next
        story.takeReady { happening in
            guard let app = apps[happening.app] else { return }
            let wanted = app.endpoints.filter { $0.wants(happening.kind, on: happening.channel) }
            guard !wanted.isEmpty else { return }
            let age = Int64(clamping: now.milliseconds - min(now.milliseconds, happening.milliseconds))
            let event = WebhookEvent(
                id: WebhookEvent.ID(run: run, number: next), kind: happening.kind, app: app.id,
                channel: happening.channel, unixMilliseconds: now.unixMilliseconds - age,
                json: Envelope.object(of: happening))
            next += 1
            body(
                Event(
                    entry: SpoolEntry(event: event, endpoints: wanted.map(\.id)),
                    sinceMilliseconds: happening.milliseconds))
        }
        self.next = next
    }
}
