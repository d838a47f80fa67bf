internal import Telemetry
internal import Wire

/// The reference of all options as Markdown, from the option tables.
enum ReferencePage {
    static let text = """
        # Options

        Made by `starling config docs`; do not edit. Precedence: flags, `STARLING_*` variables, variables of other servers,
        the file, what is built in. Empty variables count as unset. Booleans: 1/0, true/false, yes/no, on/off.
        They are read at the start. SIGHUP (`starling reload`) reads all files again, those of `--env-file` and of secrets too; flags and
        variables of the process, also those of other servers, stay those of the start and keep their place. *Reload* says what a reload
        changes; the rest waits for a restart, and the log names it. Of a directory (`--config DIR`) every `*.json` is read, in the order of
        their names: apps of all files together; any other option, an id or a key in two of them is an error.

        ## Finding the configuration

        | Flag | Variable | Meaning |
        |---|---|---|
        \(MetaOption.all.map(row).joined())
        \(sections(Option.server, ServerSettings()))
        \(sections(Option.app, AppDraft()))
        \(elements(Option.server) + elements(Option.app, "apps[]."))
        An app of `STARLING_APP_*` variables or of flags needs a key and a secret; half an app is an error. Its id is `app-id` unless one is given.

        ## Secrets in files

        | Variable | Meaning |
        |---|---|
        \(secretFiles)
        ## Text with `${…}`

        Values of a configuration file and of a `--env-file` may name variables. `$${` is a literal `${`, and with the colon an
        empty variable counts as unset.

        | Form | Meaning |
        |---|---|
        | `${A}` | A; in a configuration file an error when it is not set, elsewhere empty |
        | `${A:-text}`, `${A-text}` | A, or the text when it is not set |
        | `${A:?text}`, `${A?text}` | A, or an error that says the text |
        | `${A:+text}`, `${A+text}` | the text when A is set, else nothing |

        A `--env-file` belongs to an application: lines that nobody here reads never are an error.

        ## Limits of other servers

        An app of another server may do here what it could do there. What that server allows when nothing is said is more than
        here in these options; bodies and messages make room for it. `starling config show --origins` tells.

        | Server | Option | Value |
        |---|---|---|
        \(foreignDefaults)
        ## Variables of other servers

        | Variable | Meaning here |
        |---|---|
        \(foreign)| `PORT` | `--port`, when nothing else says it |

        ## The metrics

        `/metrics` of the metrics' listener has these families, in Prometheus's text format. Counters begin at 0 with the process. Labels
        have few values: an app by its id (the first `metrics.apps` of them; the others together are `other apps`), a loop by its number,
        words of closed lists; never a channel, a user or an address. What has not happened yet of `closes`, `http_requests` and
        `refusals` has no sample. soketi's names stand after `metrics.prefix`; soketi listened on all addresses, here say so with
        `metrics.host`.

        | Family | Type | Labels | Meaning |
        |---|---|---|---|
        \(metrics)
        ## The log

        One line of logfmt an event on standard error; with `--log-format json` one JSON object with the same members, whole numbers as numbers.
        `msg=refused` stands at `info` for whatever was refused; `listening` there
        tells of the start. At `debug` stand also `connected`, `subscribed`, `unsubscribed`, `signed in`, `client event`,
        `published` and `disconnected`. Values are bare words, or JSON strings when they hold anything but visible ASCII, or a
        quote, `=` or `\\`.

        | Field | Meaning |
        |---|---|
        | `time`, `level`, `msg` | First in every line: UTC, `debug` … `error`, what happened |
        | `kind` | Of a refusal: `http`, `auth`, `limit`, `handshake`, `subscription`, `sign_in`, `client_event`, `message`, `websocket`, `authorization`, `slow_consumer`, `transport`, `tls`, `proxy`, `address` |
        | `reason`, `code` | Why, in full; the HTTP status or Pusher code the peer was told |
        | `peer`, `via` | The client's address; with `trustProxy` the last entry of `X-Forwarded-For` or `Forwarded` (of a list of networks: the last that is outside of them), and then `via` is the proxy's; `unix`: by a Unix socket |
        | `address_block`, `address_refusals` | Above a limit of an address: what counts as one (of IPv6 the /64), and how many of its connections were refused so far |
        | `app`, `socket_id`, `channel` | As far as they are known |
        | `method`, `path` | Of the HTTP request, without its query |
        | `suppressed` | Refusals of this kind that were left out since its last line: the same within a second (app, host, path, channel, reason), or more than `refusalLinesPerSecond` |
        | `event`, `data_bytes`, `user_id`, `client` | Of a publish, a sign-in, a connection |
        | `cause`, `lifetime_seconds` | Of a disconnection; `cause` also of `tls` and `proxy`: what failed |
        | `address`, `apps`, `connections`, `loops`, `version`, `pid` | Of the start: what is listened on, and how many connections fit |
        | `used_bytes`, `limit_bytes`, `backlog_bytes`, `refused_connections`, `refused_calls` | Of `memory is short` and `memory suffices again` (`memory.limit`): what is used, the limit, and who was refused since the last such line |
        | `pid`, `from`, `listeners`, `user` | Of a takeover: the other process, how many sockets go over; whose process it is. `pid` and `user` also of another user who asks at the control socket |
        | `app`, `url`, `events`, `failures`, `endpoint` | Of `a webhook endpoint fails`, `a webhook endpoint takes events again`, `webhook events are dead letters` and `webhook events dropped`: the URL without its query, how many events are meant, failed attempts in a row, the ID of one that is not configured any more |
        | `place` | What a warning is about: a file and line, a variable, a flag |
        | `dropped_lines` | Lines lost before this one, because standard error did not take them |

        ## The control socket

        With a state directory, the socket `control` in it (mode 0600) answers the user that the broker runs as, and root, with HTTP and JSON:
        `starling webhooks` asks there, and so does `curl --unix-socket DIR/control http://control/webhooks`. Times are milliseconds since 1970;
        whatever is refused has a status from 400 on and `{"error": …}`.

        | Request | Answer |
        |---|---|
        | `GET /webhooks[?app=ID]` | `{"endpoints": […]}`: `id`, `app`, `url`, `waiting`, `oldestMilliseconds`, `deadLetters`, `failures`, `retryMilliseconds`, `removed` |
        | `GET /webhooks/ID` | Of an endpoint: `{"endpoint": {…}, "settings": {…}, "deadLetters": […], "attempts": […]}`. Of an event: `{"event": {…}, "places": […]}` |
        | `GET /webhooks/attempts[?app=ID][&limit=N]` | `{"attempts": […]}`, the newest last: `time`, `app`, `endpoint`, `event` (the first), `events`, `attempt`, `milliseconds`, `result` (`delivered`, `refused`, `failed`), `status`, `retryAfterSeconds`, `failure`, `text` |
        | `POST /webhooks/retry`, `POST /webhooks/purge` with `{"id": ID}` or `{"all": true}` | `{"events": N, "endpoints": N}` |
        | `POST /webhooks/test` with `{"url": URL, "app": ID, "allowPrivate": true}` | `{"url": …, "attempt": {…}}` |
        """

    private static let foreign = ForeignFamily.all.flatMap(\.variables)
        .map { "| `\($0.name)` | \($0.effect.meaning) |\n" }.joined()

    private static let secretFiles = Loader.secretFiles
        .map { "| `\($0.file)` | Path of a file that holds `\($0.variable)` |\n" }.joined()

    private static let metrics = Metric.allCases.map { metric in
        let (family, name) = (metric.family, (metric.isSoketi ? "soketi_" : "") + metric.rawValue)
        let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
        return "| `\(name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |\n"
    }.joined()

    private static let foreignDefaults = ForeignFamily.all.flatMap { family in
        family.appDefaults.map { "| \(family.name) | `--\($0.option)` | \($0.value) |\n" }
    }.joined()

    private static func sections<Settings>(_ options: [Option<Settings>], _ defaults: Settings) -> String {
        OptionGroup.sorted(options).map { section($0.group, $0.options, defaults) }.joined(separator: "\n")
    }

    /// What stands in the elements of lists of objects.
    private static func elements<Settings>(_ options: [Option<Settings>], _ prefix: String = "") -> String {
        options.map { option in
            guard case .objects(let list) = option.field else { return "" }
            let rows = list.members.map { member in
                "| `\(member.name)` | \(member.expectation)\(member.unit.isEmpty ? "" : " (\(member.unit))") "
                    + "| `\(member.standard.json().printed())` | \(member.help) |\n"
            }
            return "## Elements of `\(prefix)\(option.key)`\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n"
                + rows.joined() + "\n"
        }.joined()
    }

    private static func row(_ option: MetaOption) -> String {
        let short = option.shortFlag.map { ", `-\($0)`" } ?? ""
        return "| `--\(option.name)`\(short) | \(option.variable.map { "`\($0)`" } ?? "") | \(option.help) |\n"
    }

    private static func section<Settings>(_ group: OptionGroup, _ options: [Option<Settings>], _ defaults: Settings)
        -> String
    {
        var text =
            "## \(group.rawValue)\n\n| Key | Flag | Variable | Value | Default | Reload | Meaning |\n"
            + "|---|---|---|---|---|---|---|\n"
        for option in options {
            let key = group.isOfApp ? "apps[].\(option.key)" : option.key
            let value =
                option.field.expectation.split(separator: "|", omittingEmptySubsequences: false).joined(
                    separator: "\\|") + (option.unit.isEmpty ? "" : " (\(option.unit))")
            let standard = option.field.read(defaults).json().printed()
            text += "| `\(key)` | `\(option.flag)` | `\(option.variable)` | \(value) | `\(standard)` |"
            text += group.isOfApp || option.isReloadable ? " yes |" : " restart |"
            text += " \(option.help) |\n"
        }
        return text
    }
}

extension ForeignFamily.Effect {
    /// For the reference page.
    fileprivate var meaning: String {
        switch self {
        case .server(let name, let conversion): "`--\(name)`\(conversion.note)"
        case .app(let names, let conversion):
            names.map { "`--\($0)`" }.joined(separator: ", ") + " of that app\(conversion.note)"
        case .everyApp(let names, let conversion):
            names.map { "`--\($0)`" }.joined(separator: ", ") + " of every app\(conversion.note)"
        case .size(let server, let names):
            "`--\(server)`, and " + names.map { "`--\($0)`" }.joined(separator: ", ") + " of every app"
        case .debug: "`--log-level debug`"
        case .driver(let supported, _): supported.joined(separator: ", ") + "; anything else is an error"
        case .refused(let text): "an error: \(text)"
        case .later(let text): "a warning: \(text)"
        case .webhooks:
            "`--webhooks` of that app, as a JSON array in soketi's form; hosts that seem to be of one's own network may be called"
        case .batching(.isOn): "`batchMilliseconds` of every endpoint that does not say it"
        case .batching(.duration): "how much that is, 50 when nothing is said"
        case .elsewhere(let text): "a warning: \(text)"
        case .wholeApp: "an app: `http://KEY:SECRET@HOST:PORT/apps/ID`"
        case .ignored: "accepted, has no effect"
        }
    }
}

extension ForeignFamily.Conversion {
    fileprivate var note: String {
        switch self {
        case .none: ""
        case .kilobytes: ", in KiB"
        case .memberKilobytes: ", in KiB of `user_info`, to which 1 KiB is added for the rest"
        case .megabytes: ", in MiB"
        case .milliseconds: ", in milliseconds"
        case .clientEventSenders: ": all, members or none"
        }
    }
}
