/// What is said of one family: the reference page, the README and the page itself come from it.
public struct MetricFamily: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
        /// soketi's counters whose names do not end as counters' do.
        case untyped
    }

    public let kind: Kind
    /// Each takes few values: none is ever a channel, a user or an address.
    public let labels: [String]
    public let help: String

    init(_ kind: Kind, _ labels: [String], _ help: String) {
        (self.kind, self.labels, self.help) = (kind, labels, help)
    }
}

/// Every family of the metrics page, by its name: who adds one is shown by the compiler where its help and its samples are due.
public enum Metric: String, CaseIterable, Sendable {
    // The process
    case buildInfo = "starling_build_info"
    case startTime = "process_start_time_seconds"
    case processorTime = "process_cpu_seconds_total"
    case residentMemory = "process_resident_memory_bytes"
    case openDescriptors = "process_open_fds"
    case descriptorsMax = "process_max_fds"
    case memoryTotal = "starling_memory_total_bytes"
    case memoryLimit = "starling_memory_limit_bytes"
    case memoryUsed = "starling_memory_used_bytes"
    case memoryPressure = "starling_memory_pressure"
    case memoryRefusals = "starling_memory_refusals_total"
    case ready = "starling_ready"
    case loops = "starling_loops"
    case silentLoops = "starling_silent_loops"

    // Connections
    case connections = "starling_connections"
    case connectionsMax = "starling_connections_max"
    case connectionsOpened = "starling_connections_opened_total"
    case closes = "starling_closes_total"
    case sockets = "starling_sockets"
    case accepts = "starling_accepts_total"
    case acceptErrors = "starling_accept_errors_total"
    case acceptsRefused = "starling_accepts_refused_total"
    case receivedBytes = "starling_received_bytes_total"
    case sentBytes = "starling_sent_bytes_total"
    case proxyHeaders = "starling_proxy_headers_total"
    case addresses = "starling_addresses"
    case addressesUncounted = "starling_addresses_uncounted_total"

    // Channels and events
    case subscriptions = "starling_subscriptions"
    case subscribes = "starling_subscribes_total"
    case channels = "starling_channels"
    case appChannels = "starling_app_channels"
    case events = "starling_events_total"
    case deliveries = "starling_deliveries_total"
    case deliveryTime = "starling_delivery_seconds"
    case messagesReceived = "starling_messages_received_total"
    case messageBytesReceived = "starling_message_received_bytes_total"
    case messagesSent = "starling_messages_sent_total"
    case messageBytesSent = "starling_message_sent_bytes_total"

    // The HTTP API
    case requests = "starling_http_requests_total"
    case requestBytes = "starling_http_received_bytes_total"
    case responseBytes = "starling_http_sent_bytes_total"

    // What is refused, and what waits
    case refusals = "starling_refusals_total"
    case limitHits = "starling_limit_hits_total"
    case slowConsumers = "starling_slow_consumer_closes_total"
    case backlog = "starling_backlog_bytes"
    case backlogMemory = "starling_backlog_memory_bytes"
    case backlogLimit = "starling_backlog_limit_bytes"
    case shortWrites = "starling_short_writes_total"
    case input = "starling_input_bytes"
    case queued = "starling_queued_bytes"

    // The loops
    case turnTime = "starling_loop_turn_seconds"
    case loopLag = "starling_loop_lag_seconds"
    case loopRests = "starling_loop_rests_total"
    case shortages = "starling_socket_shortages_total"

    // Webhooks
    case webhookQueued = "starling_webhook_queued_events"
    case webhookOldest = "starling_webhook_oldest_seconds"
    case webhookSent = "starling_webhook_events_sent_total"
    case webhookAttempts = "starling_webhook_attempts_total"
    case webhookAttemptTime = "starling_webhook_attempt_seconds"
    case webhookBuried = "starling_webhook_events_undelivered_total"
    case webhookDeadLetters = "starling_webhook_dead_letters"
    case webhookDropped = "starling_webhook_events_dropped_total"
    case webhookSuppressed = "starling_webhook_returns_total"
    case webhookSpool = "starling_webhook_spool_bytes"
    case webhookSpoolErrors = "starling_webhook_spool_errors_total"
    case webhookConnections = "starling_webhook_connections"

    // The operator
    case reloads = "starling_reloads_total"
    case droppedLines = "starling_log_dropped_lines_total"
    case tlsHandshakes = "starling_tls_handshakes_total"
    case tlsFailures = "starling_tls_handshake_failures_total"
    case certificateExpiry = "starling_certificate_expiry_timestamp_seconds"

    // soketi's names, after `metrics.prefix`
    case soketiConnected = "connected"
    case soketiNewConnections = "new_connections_total"
    case soketiNewDisconnections = "new_disconnections_total"
    case soketiReceivedBytes = "socket_received_bytes"
    case soketiSentBytes = "socket_transmitted_bytes"
    case soketiMessagesReceived = "ws_messages_received_total"
    case soketiMessagesSent = "ws_messages_sent_total"
    case soketiHTTPReceivedBytes = "http_received_bytes"
    case soketiHTTPSentBytes = "http_transmitted_bytes"
    case soketiHTTPCalls = "http_calls_received_total"

    /// One of soketi's: `metrics.prefix` stands before its name.
    public var isSoketi: Bool { family.labels == ["app_id", "port"] }

    /// What it is.
    public var family: MetricFamily {
        switch self {
        case .buildInfo: .init(.gauge, ["version", "commit", "swift", "openssl"], "What runs; always 1")
        case .startTime: .init(.gauge, "When the process started, in seconds since 1970")
        case .processorTime: .init(.counter, "Processor time of the process, user and system")
        case .residentMemory: .init(.gauge, "Memory of the process")
        case .openDescriptors: .init(.gauge, "Descriptors that are open")
        case .descriptorsMax: .init(.gauge, "Descriptors the process may have")
        case .memoryTotal: .init(.gauge, "Memory of the machine, or of the control group if that is less")
        case .memoryLimit: .init(.gauge, "What memory.limit comes to; 0: nothing")
        case .memoryUsed: .init(.gauge, "What is compared with it: of the process, or of its control group")
        case .memoryPressure:
            .init(.gauge, "0; 1 while more is used: new clients and API calls are refused; 2: an eighth more")
        case .memoryRefusals: .init(.counter, ["cause"], "Refused meanwhile: connection, call")
        case .ready: .init(.gauge, "1 while new clients are taken, 0 at the start and while draining")
        case .loops: .init(.gauge, "Event loops")
        case .silentLoops: .init(.gauge, "Loops that did not tell their numbers within a second: theirs are old ones")

        case .connections: .init(.gauge, ["app_id"], "WebSocket connections that are open")
        case .connectionsMax: .init(.gauge, "WebSocket connections that fit, of all apps")
        case .connectionsOpened: .init(.counter, ["app_id"], "WebSocket connections that were let in")
        case .closes:
            .init(
                .counter, ["by", "code"],
                "WebSocket connections that ended: by the client's close frame, the server's, or the network")
        case .sockets:
            .init(.gauge, ["kind"], "TCP connections that are open: websocket, or http (not yet or never upgraded)")
        case .accepts: .init(.counter, "TCP connections accepted")
        case .acceptErrors: .init(.counter, "Accepts that failed")
        case .acceptsRefused: .init(.counter, "TCP connections answered 503 and closed, because no descriptor was left")
        case .receivedBytes: .init(.counter, "Bytes read from sockets")
        case .sentBytes: .init(.counter, "Bytes written to sockets")
        case .proxyHeaders:
            .init(
                .counter, ["outcome"], "PROXY headers: read, malformed, not there in time (timeout), or cut off (gone)")
        case .addresses: .init(.gauge, "Addresses whose connections are counted now, because a limit of theirs is set")
        case .addressesUncounted:
            .init(.counter, "Connections that were let in uncounted, because there were too many addresses")

        case .subscriptions: .init(.gauge, ["kind"], "Subscriptions, by the kind of their channels")
        case .subscribes: .init(.counter, ["kind"], "Subscriptions that were made")
        case .channels: .init(.gauge, ["kind"], "Channels with subscribers")
        case .appChannels: .init(.gauge, ["app_id"], "Channels with subscribers, of an app")
        case .events:
            .init(
                .counter, ["app_id", "source"],
                "Events taken from the api, a batch or a client; one for three channels counts three times")
        case .deliveries: .init(.counter, ["app_id"], "Messages of channels given to subscribers' connections")
        case .deliveryTime:
            .init(
                .histogram,
                "From the turn that read a publish to the last socket write of the loop that delivered it; once for each event and loop"
            )
        case .messagesReceived: .init(.counter, ["app_id"], "WebSocket messages from clients")
        case .messageBytesReceived: .init(.counter, ["app_id"], "Their bytes, without frame headers")
        case .messagesSent: .init(.counter, ["app_id"], "WebSocket messages to clients: deliveries and answers")
        case .messageBytesSent: .init(.counter, ["app_id"], "Their bytes, with frame headers")

        case .requests: .init(.counter, ["route", "status"], "HTTP requests answered")
        case .requestBytes: .init(.counter, ["app_id"], "Bytes of API requests, heads and bodies")
        case .responseBytes: .init(.counter, ["app_id"], "Bytes of API responses, heads and bodies")

        case .refusals:
            .init(
                .counter, ["kind", "code"],
                "What was refused: kind as in the log; the HTTP status or Pusher code, or none")
        case .limitHits:
            .init(
                .counter, ["limit"],
                "Refusals by a rate or quota of an app, or by a limit of an address, by the name of the limit")
        case .slowConsumers:
            .init(
                .counter, ["limit"],
                "Connections cut off because too much waited for them: backlogBytes, backlogTotalBytes, memory.limit")
        case .backlog: .init(.gauge, "Bytes that wait for clients who do not take them")
        case .backlogMemory: .init(.gauge, "Memory that is held for them")
        case .backlogLimit: .init(.gauge, "What it may be: backlogTotalBytes")
        case .shortWrites: .init(.counter, "Sends that a socket took only in part or not at all")
        case .input: .init(.gauge, "Bytes of requests and messages that are not whole yet")
        case .queued: .init(.gauge, ["loop"], "Bytes of deliveries that wait for a loop")

        case .turnTime: .init(.histogram, ["loop"], "Length of a turn of a loop, without its sleep")
        case .loopLag: .init(.histogram, ["loop"], "How late the tick of a loop was, which is due every 100 ms")

        case .loopRests:
            .init(
                .counter, "Milliseconds that loops rested because the kernel reported what it then did not let them do")
        case .shortages: .init(.counter, "Sends and receives for which the kernel had no memory; they are tried again")

        case .webhookQueued: .init(.gauge, ["app_id"], "Events that wait, one for each endpoint that has not taken it")
        case .webhookOldest: .init(.gauge, "Age of the oldest of them")
        case .webhookSent: .init(.counter, ["app_id"], "Events that an endpoint has taken")
        case .webhookAttempts:
            .init(
                .counter, ["result"],
                "Requests that ended: the class of the status, or why there was no answer")
        case .webhookAttemptTime: .init(.histogram, "From the begin of an attempt to the end of its answer")
        case .webhookBuried:
            .init(.counter, ["app_id"], "Events that became dead letters, because no endpoint took them in time")
        case .webhookDeadLetters: .init(.gauge, ["app_id"], "Dead letters that are kept")
        case .webhookDropped:
            .init(
                .counter, ["cause"],
                "What a bound cost: events that waited (queue) or were dead letters (dead_letters), copies on the disk (spool), changes of channels that came too fast (edges)"
            )
        case .webhookSuppressed:
            .init(.counter, "Channels and members that were back in time after a disconnect, so that nothing was told")
        case .webhookSpool: .init(.gauge, "Bytes of the spool's files")
        case .webhookSpoolErrors: .init(.counter, "Writes to the spool that failed")
        case .webhookConnections: .init(.gauge, "Connections to endpoints that are open")

        case .droppedLines: .init(.counter, "Log lines that standard error did not take")
        case .reloads: .init(.counter, ["outcome"], "Reloads of the configuration: applied, failed (nothing changed)")
        case .tlsHandshakes: .init(.counter, "TLS handshakes that were completed")
        case .tlsFailures: .init(.counter, ["reason"], "TLS handshakes that failed")
        case .certificateExpiry: .init(.gauge, ["certificate"], "When a certificate ends, in seconds since 1970")

        case .soketiConnected: .soketi(.gauge, "as starling_connections")
        case .soketiNewConnections: .soketi(.counter, "as starling_connections_opened_total")
        case .soketiNewDisconnections: .soketi(.counter, "connections that ended")
        case .soketiReceivedBytes: .soketi(.untyped, "as starling_message_received_bytes_total")
        case .soketiSentBytes: .soketi(.untyped, "as starling_message_sent_bytes_total")
        case .soketiMessagesReceived: .soketi(.counter, "as starling_messages_received_total")
        case .soketiMessagesSent: .soketi(.counter, "as starling_messages_sent_total")
        case .soketiHTTPReceivedBytes: .soketi(.untyped, "as starling_http_received_bytes_total")
        case .soketiHTTPSentBytes: .soketi(.untyped, "as starling_http_sent_bytes_total")
        case .soketiHTTPCalls: .soketi(.counter, "signed API requests answered")
        }
    }
}

extension MetricFamily {
    fileprivate init(_ kind: Kind, _ help: String) { self.init(kind, [], help) }

    fileprivate static func soketi(_ kind: Kind, _ help: String) -> MetricFamily {
        MetricFamily(kind, ["app_id", "port"], "soketi's name: " + help)
    }
}
