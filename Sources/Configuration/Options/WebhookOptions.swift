import BrokerCore
import PusherProtocol
import Wire

/// What holds for the webhooks of all apps.
extension Option where Settings == ServerSettings {
    static let webhooks: [Option] = [
        .init(
            name: "state-directory", key: "stateDirectory", field: .text(\.stateDirectory), group: .webhooks,
            help:
                "Directory for what must outlive the process: webhooks that wait, and the socket of starling webhooks. Made if only it is "
                + "missing; systemd's STATE_DIRECTORY counts. Empty: webhooks that wait are lost with the process"),
        .init(
            name: "webhooks-return-milliseconds", key: "webhooks.returnMilliseconds",
            field: .integer(\.webhooks.returnMilliseconds, 0...60_000), group: .webhooks, unit: "milliseconds",
            isReloadable: true,
            help:
                "How long channel_vacated and member_removed wait after a disconnect; who is back by then causes neither them nor "
                + "the event of his return"),
        .init(
            name: "webhooks-retry-seconds", key: "webhooks.retrySeconds",
            field: .integer(\.webhooks.retrySeconds, 1...86_400), group: .webhooks, unit: "seconds", isReloadable: true,
            help:
                "How long an event is tried again, after 1, 2, 4 … 60 seconds, until it becomes a dead letter; server libraries refuse "
                + "one that is older than 300"),
        .init(
            name: "webhooks-sync", key: "webhooks.sync", field: .words(\.webhooks.sync), group: .webhooks,
            help:
                "When what waits is forced to the disk: batch ten times a second, so that the power can take what came since; each "
                + "before it is sent. Neither is needed to survive a crash"),
        .init(
            name: "webhooks-spool-bytes", key: "webhooks.spoolBytes",
            field: .integer(\.webhooks.spoolBytesMax, 4_194_304...1_099_511_627_776), group: .webhooks, unit: "bytes",
            help: "What they may take of the disk; above it the oldest are dropped, and counted"),
        .init(
            name: "webhooks-queue-bytes", key: "webhooks.queueBytes",
            field: .integer(\.webhooks.queueBytesMax, 1_048_576...1_099_511_627_776), group: .webhooks, unit: "bytes",
            isReloadable: true,
            help:
                "What they may take of the memory; above it the oldest of the endpoint with the most are dropped, and counted"
        ),
    ]
}

extension ObjectList where Settings == AppDraft {
    static let webhooks = ObjectList(
        \.webhooks, blank: WebhookDraft(), rows: Option.endpoint, textForm: "URL",
        foreignNames: [
            "eventtypes": "here it is \"events\"",
            "filter": "here it is \"channelPrefix\" and \"channelSuffix\"",
            "channelnamestartswith": "here it is \"channelPrefix\"",
            "channelnameendswith": "here it is \"channelSuffix\"",
            "lambda": "AWS Lambda is called by the URL of a function only, as any other",
            "lambdafunction": "AWS Lambda is called by the URL of a function only, as any other",
            "secret": "webhooks are signed with the secret of the app's first key",
        ]
    ) { text in
        var draft = WebhookDraft()
        do throws(WebURL.Fault) { draft.url = try WebURL.parse(text.trimmed) } catch {
            return .failure(ValueError(text: error.text))
        }
        return .success(draft)
    }
}

extension Option where Settings == WebhookDraft {
    /// What stands in an element of `apps[].webhooks`.
    static let endpoint: [Option] = [
        .member(
            "url", .url(\.url),
            "Where events are sent, by POST. Two endpoints with the same URL are two; the query is never shown"),
        .member(
            "events", .texts(\.events, of: .webhookEvent),
            "Which: \(WebhookKind.allCases.map(\.name).joined(separator: ", ")). The last four are ours, and come only where they are named"
        ),
        .member(
            "channelPrefix", .text(\.channelPrefix),
            "Only of channels whose names begin so; events without a channel come in any case"),
        .member("channelSuffix", .text(\.channelSuffix), "Only of channels whose names end so"),
        .member(
            "headers", .headers(\.endpoint.headers),
            "Further headers, at most \(WebhookHeaders.countMax), such as Authorization; never shown. Those that the broker writes are refused, "
                + "but for User-Agent"),
        .member(
            "batchMilliseconds", .integer(\.endpoint.batchMilliseconds, 0...60_000), unit: "milliseconds",
            "How long an event waits for others to go with it in one request; 0: each goes alone"),
        .member(
            "batchEvents", .integer(\.endpoint.batchEventsMax, 1...1_000), "Events of one request at most"),
        .member(
            "timeoutSeconds", .integer(\.endpoint.timeoutSeconds, 1...60), unit: "seconds",
            "How long a request may take, from the look-up of the name to the end of the answer"),
        .member(
            "allowPrivate", .boolean(\.endpoint.allowsPrivate),
            "Also call loopback, private and other addresses that are not public; otherwise they are refused, whatever a name leads to. "
                + "On for the built-in app"),
        .member(
            "clientCertificate", .text(\.endpoint.clientCertificate), "File with the certificate that we show, in PEM"),
        .member("clientKey", .text(\.endpoint.clientKey), "File with its private key, in PEM"),
        .member(
            "authority", .text(\.endpoint.authority),
            "File with the authorities that the endpoint's certificate must be of, in PEM; otherwise the machine's"),
    ]
}
