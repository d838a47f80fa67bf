/// What `--help` prints, from the option tables; lines fit 100 columns but for long choices.
enum HelpText {
    static func of(_ topic: [String]) -> String {
        switch topic.first {
        case "serve", "start": serve
        case "config": config
        case "health": health
        case "reload": reload
        case "tls": tls
        case "webhooks": webhooks
        default: tree
        }
    }

    static let tree = """
        Usage: starling [COMMAND] [OPTIONS]

        Commands:
          serve | start              run the broker (also without a command)
          config check [FILE]        tell all that is wrong with the configuration
          config show [FILE]         print the effective configuration [--origins] [--json]
          config docs                print the reference of all options (Markdown)
          config import --from soketi|reverb|env [FILE|env]
                                     print another server's configuration as ours
          health [HOST:PORT|URL]     ask a running broker; exit code 0 when it is ready [--timeout SECONDS] [--tls]
          reload                     let a running broker load its settings again [--pid PID] [--timeout SECONDS]
          tls dev [NAME…]            a certificate for this machine, from an authority of your own [--directory DIR]
          webhooks list | show ID | attempts | retry ID | purge ID | test URL
                                     look into the webhooks of a running broker [--state-directory DIR] [--json]
          webhooks verify            check the signature of a webhook, offline [--app ID | --secret TEXT]
          bench SCENARIO             put load on a broker and report [bench --help]
          version                    print the version [--json]
          help [COMMAND]             print help

        Options:
        \(meta)
        starling serve --help lists all options. Precedence: flags, STARLING_* variables, variables of
        soketi, Reverb, Pusher and sockudo, the file, what is built in.

        Exit codes: 0 fine, 1 failed while running, 2 wrong command line, 69 address in use,
        78 wrong configuration; health and reload: 124 no answer in time.

        """

    static let serve = """
        Usage: starling [serve] [OPTIONS]

        Every option is also a variable: --path-prefix is STARLING_PATH_PREFIX.
        \(secretFiles) name files with these secrets.
        STARLING_ENV=production is --production, and PORT is --port when nothing else says it.

        \(meta)
        \(sections(Option.server, ServerSettings()))
        The options below speak of the only app; several apps are written in the file.

        \(sections(Option.app, AppDraft()))
        """

    static let config = """
        Usage: starling config check|show [FILE] [OPTIONS of serve]
               starling config docs
               starling config import --from soketi|reverb|env [FILE|env] [--env-file FILE]

          check      exit code 0, or 78 and all problems with file:line:column
          show       the effective values; secrets are hidden
                     --origins  where each came from
                     --json     as a document
          docs       the reference of all options as Markdown
          import     a native file, with its secrets, on standard output; FILE is soketi's JSON, or the .env
                     file with the variables of Reverb, Pusher or soketi. What serve refuses is refused,
                     and nothing is written

        Secrets may stand in files: \(secretFiles).
        config docs has all options, ${…} forms and the variables of other servers.

        """

    static let health = """
        Usage: starling health [HOST[:PORT] | http[s]://HOST:PORT/PATH] [--timeout SECONDS]
                               [--tls | --tls-ca FILE | --tls-insecure] [OPTIONS of serve]

        Asks /ready of the broker; without a host, of the one that this configuration would start.
        Over TLS the server's certificate must be of an authority that this machine trusts, or one in FILE (PEM);
        --tls-insecure believes any, as is done for the broker of this configuration.
        Exit code 0 when it answers 200 in time (5 seconds), 124 when it does not answer in time, else 1.

        """

    static let reload = """
        Usage: starling reload [--pid PID] [--timeout SECONDS]

        Sends SIGHUP to the broker that runs on this machine, waits until it has loaded its files again (30 seconds),
        and says what changed. Exit code 0 when the new settings are in force, 78 with all problems when they are
        wrong and nothing was changed, 124 when no answer came in time, else 1. Nobody is dropped.

        """

    static let tls = """
        Usage: starling tls dev [NAME…] [--directory DIR]

        Makes a certificate for localhost, 127.0.0.1, ::1 and further names (hosts, *.app.test, addresses), and the authority
        that signs it, and tells how to start the broker with it and how to trust the authority.
        Both are kept in DIR, by default ~/.local/share/starling/tls, and used again; a certificate that lacks a name or ends
        within 30 days is made anew. Files there that are not from here are never overwritten.

        """

    static let webhooks = """
        Usage: starling webhooks list|attempts [--app ID]
               starling webhooks show ID
               starling webhooks retry|purge ID|--all
               starling webhooks test URL [--app ID] [--allow-private]
                 each with [--json] [--timeout SECONDS] [--state-directory DIR | OPTIONS of serve]
               starling webhooks verify --app ID | --secret TEXT | --secret-file FILE
                                        [--signature DIGITS] [--body FILE|-] [OPTIONS of serve]

          list       the endpoints: what waits, how old the oldest is, dead letters, when the next attempt is
          show       what ID is, an endpoint's or an event's (X-Starling-Event-Id): how it is there, and why
          attempts   the last 1,000 attempts to deliver of each app, the newest last
          retry      dead letters wait again, of an endpoint or one event, and what waits there is tried at once
          purge      dead letters are forgotten
          test       send one channel_occupied event to URL at once, as to an endpoint of an app, and say how that went
          verify     whether DIGITS, what stood in X-Pusher-Signature, is the signature of the body: exit code 0 or 1, and
                     the likely cause. The body is read from standard input unless FILE is given; it may also be the whole
                     request as it was recorded, and then its head has the signature. --app takes the secrets of an app of
                     the configuration. Nothing is sent

        All but verify ask the running broker over the socket "control" in its state directory, as the user that it runs as or
        as root. --json prints an object a line. Exit code 0, 1 when it could not be done (a test that failed too), 2 for a wrong
        command line, 69 when no broker is there, 124 when it did not answer in time.

        """

    private static let secretFiles = Loader.secretFiles.map(\.file).joined(separator: ", ")

    private static let meta = MetaOption.all.map { option in
        let short = option.shortFlag.map { "-\($0), " } ?? "    "
        return line(short + "--" + option.name + (option.argument.map { " " + $0 } ?? ""), option.help)
    }.joined()

    private static func sections<Settings>(_ options: [Option<Settings>], _ defaults: Settings) -> String {
        OptionGroup.sorted(options).map { section($0.group.rawValue, $0.options, defaults) }.joined(separator: "\n")
    }

    private static func section<Settings>(_ title: String, _ options: [Option<Settings>], _ defaults: Settings)
        -> String
    {
        title + ":\n"
            + options.map { option in
                let short = option.shortFlag.map { "-\($0), " } ?? "    "
                let flag = option.field.isBoolean ? "--[no-]\(option.name)" : "--\(option.name) \(option.placeholder)"
                return line(short + flag, option.help + option.defaultNote(defaults))
            }.joined()
    }

    private static func line(_ left: String, _ right: String) -> String {
        "  " + left + String(repeating: " ", count: max(2, 40 - left.count)) + right + "\n"
    }
}

extension Option {
    /// What stands for the value in help.
    var placeholder: String {
        switch field {
        case .text, .secret: "TEXT"
        case .boolean, .networks: ""
        case .integer, .limit: "N"
        case .memory: "N|N%"
        case .numbers(_, let numbers): numbers.map(String.init).joined(separator: "|")
        case .list, .texts: "A,B,…"
        case .objects(let list): "\(list.textForm),…"
        case .url: "URL"
        case .headers: ""
        case .words(_, let words, _): words.joined(separator: "|")
        }
    }

    /// ` (default 6001)`; nothing for empty ones.
    fileprivate func defaultNote(_ defaults: Settings) -> String {
        switch field.read(defaults) {
        case .text(""), .list([]), .objects, .networks, .url, .headers: ""
        case .text(let text): " [\(text)]"
        case .memory(let limit): " [\(limit.text)]"
        case .limit(nil): " [unlimited]"
        case .limit(let number?), .integer(let number): " [\(number)\(unit.isEmpty ? "" : " " + unit)]"
        case .boolean(let isTrue): isTrue ? " [on]" : ""
        case .list(let texts), .texts(let texts): " [\(texts.joined(separator: ","))]"
        }
    }
}
