import Arguments
public import Wire

/// What `starling webhooks` asks of a running broker, over the control socket in its state directory.
public struct WebhookInquiry: Sendable, Equatable {
    public enum Question: Sendable, Equatable {
        /// nil: of all apps.
        case list(app: String?)
        /// Of an endpoint or of an event.
        case show(id: String)
        case attempts(app: String?)
        /// nil: all.
        case retry(id: String?)
        case purge(id: String?)
        /// nil: the broker's only app.
        case test(WebURL, app: String?, allowsPrivate: Bool)
    }

    public var question: Question
    /// Of the broker; never empty.
    public var stateDirectory: String
    /// A JSON object a line, and no table.
    public var printsJSON = false
    /// 1...300.
    public var timeoutSeconds: Int

    /// How long is waited for the answer when nothing is said: for a test longer than an attempt may take.
    static func patienceSeconds(_ question: Question) -> Int {
        if case .test = question { 70 } else { 10 }
    }
}

extension Commands {
    static let inquiries = ["list", "show", "attempts", "retry", "purge", "test"]

    /// `webhooks list|show|attempts|retry|purge|test …`.
    func inquire(_ name: String, _ arguments: [String]) -> CommandLineRequest {
        let own = ["json": false, "all": false, "app": true, "timeout": true, "allow-private": false]
        var flags = FlagParser.parse(arguments, extra: own)
        if flags.value("help") != nil { return .text(.success(HelpText.webhooks)) }
        if let problem = usageProblem(flags, positionalsMax: ["list", "attempts"].contains(name) ? 0 : 1) {
            return .text(problem)
        }
        let (found, fault) = question(name, flags)
        guard let question = found else { return .text(fault) }
        let standard = WebhookInquiry.patienceSeconds(question)
        let timeout = number("timeout", flags, 1...300, unit: " (seconds)", standard: standard)
        guard let timeoutSeconds = timeout.number else { return timeout.fault }
        let printsJSON = flags.value("json") != nil
        flags.positionals = []
        flags.given.removeAll { own[$0.name] != nil }
        switch stateDirectory(flags) {
        case .failure(let failure): return .text(.failure(failure, ending: "nothing was asked"))
        case .success(""):
            return .text(
                .usage(
                    "webhooks \(name) asks a running broker in its state directory, and none is known: give "
                        + "--state-directory DIR as the broker has it, or its configuration (--config FILE)"))
        case .success(let directory):
            return .webhooks(
                WebhookInquiry(
                    question: question, stateDirectory: directory, printsJSON: printsJSON,
                    timeoutSeconds: timeoutSeconds))
        }
    }

    /// What is said on the command line is enough: who asks may be somebody who may not read the configuration.
    private func stateDirectory(_ flags: FlagParser.Result) -> Result<String, ConfigurationFailure> {
        if let given = flags.value("state-directory")?.value, !given.isEmpty { return .success(given) }
        return LoadedSettings.load(flags: flags, environment: environment, readsNamedFiles: false, readFile: readFile)
            .map(\.settings.stateDirectory)
    }

    private func question(
        _ name: String, _ flags: FlagParser.Result
    ) -> (WebhookInquiry.Question?, fault: CommandOutput) {
        let (app, subject) = (flags.value("app")?.value, flags.positionals.first)
        let isAll = flags.value("all") != nil
        func fault(_ text: String) -> (WebhookInquiry.Question?, fault: CommandOutput) { (nil, .usage(text)) }
        func takes(_ flag: String, _ others: String...) -> Bool { others.contains(name) || flags.value(flag) == nil }
        guard takes("all", "retry", "purge") else { return fault("webhooks \(name) takes no --all") }
        guard takes("allow-private", "test") else { return fault("webhooks \(name) takes no --allow-private") }
        guard takes("app", "list", "attempts", "test") else { return fault("webhooks \(name) takes no --app") }
        switch (name, subject) {
        case ("list", _): return (.list(app: app), .success(""))
        case ("attempts", _): return (.attempts(app: app), .success(""))
        case ("show", let id?): return (.show(id: id), .success(""))
        case ("show", nil): return fault("webhooks show needs an ID; webhooks list has those of the endpoints")
        case ("test", let text?):
            do throws(WebURL.Fault) {
                let isAllowed = flags.value("allow-private") != nil
                return (.test(try WebURL.parse(text), app: app, allowsPrivate: isAllowed), .success(""))
            } catch { return fault("the URL \(error.text)") }
        case ("test", nil): return fault("webhooks test needs a URL")
        case (_, let id?) where isAll: return fault("webhooks \(name) takes an ID or --all, not \(id.quoted) and --all")
        case (_, nil) where !isAll: return fault("webhooks \(name) needs an ID, or --all")
        case ("retry", let id): return (.retry(id: id), .success(""))
        case (_, let id): return (.purge(id: id), .success(""))
        }
    }
}
