import BrokerCore

extension Loader {
    // MARK: Foreign names

    mutating func readForeign() {
        var loose: [(name: String, value: OptionValue, origin: Origin)] = []
        var everyApp: [(name: String, value: OptionValue, origin: Origin)] = []
        for family in ForeignFamily.all {
            var own: [(name: String, value: OptionValue, origin: Origin)] = []
            for (name, effect) in family.variables {
                guard let variable = variables[name] else { continue }
                switch effect {
                case .app(let option, let conversion): parseApp(option, conversion, variable).map { own.append($0) }
                case .everyApp(let options, let conversion):
                    for option in options { parseApp(option, conversion, variable).map { everyApp.append($0) } }
                default: apply(effect, variable)
                }
            }
            place(own, of: family, &loose)
            if family.name == "Pusher" { placeURL() }
            warnUnknown(family.prefix, family.variables.map(\.name), ignoredPrefixes: family.ignoredPrefixes)
        }
        if !loose.isEmpty || !everyApp.isEmpty, drafts.isEmpty { addBuiltIn() }
        for setting in loose { setOnly(setting.name, setting.value, setting.origin) }
        for setting in everyApp {
            // In the other server this is the default of every app, so what an app says itself stands.
            for index in drafts.indices where drafts[index].origins[setting.name] == nil {
                drafts[index].set(setting.name, setting.value, setting.origin)
            }
        }
    }

    private mutating func apply(_ effect: ForeignFamily.Effect, _ variable: Variables.Variable) {
        let (value, origin) = (variable.value, variable.origin)
        switch effect {
        case .server(let option, let conversion):
            switch conversion.apply(value) {
            case .success(let text): setServer(option, text, origin, value)
            case .failure(let error): problems.error(origin, value: value, error.text)
            }
        case .debug:
            switch Boolean.parse(value) {
            case true?: setServer("log-level", "debug", origin)
            case false?: break
            case nil: problems.error(origin, value: value, "must be 1, 0, true, false, yes, no, on or off")
            }
        case .driver(let supported, let otherwise):
            guard !supported.contains(value) else { return }
            problems.error(
                origin, value: value, "not supported here (\(supported.joined(separator: ", "))); refusing \(otherwise)"
            )
        case .refused(let text):
            if Boolean.parse(value) != false { problems.error(origin.place(), text) }
        case .later(let text):
            if Boolean.parse(value) != false { problems.warning(origin.place(), "\(text); ignored") }
        case .webhooks: webhooks(variable)
        case .app, .everyApp, .wholeApp, .ignored: break
        }
    }

    private mutating func webhooks(_ variable: Variables.Variable) {
        let (node, _) = FileReader.read(SourceText(path: "", bytes: Array(variable.value.utf8)))
        guard let node, case .array(let webhooks) = node.content else {
            // Its headers may hold tokens, so the value is not shown.
            return problems.error(variable.origin.place(), "must be a JSON array of webhooks")
        }
        if !webhooks.isEmpty {
            problems.warning(variable.origin.place(), "webhooks come in a later release; none is sent")
        }
    }

    private mutating func parseApp(
        _ name: String, _ conversion: ForeignFamily.Conversion, _ variable: Variables.Variable
    ) -> (name: String, value: OptionValue, origin: Origin)? {
        guard let option = Self.appByName[name] else { preconditionFailure("no app option is called \(name)") }
        switch conversion.apply(variable.value).flatMap({ option.field.parse($0) }) {
        case .success(let value): return (name, value, variable.origin)
        case .failure(let error):
            problems.error(variable.origin, value: option.field.isSecret ? nil : variable.value, error.text)
            return nil
        }
    }

    private static let identity = ["app-id", "app-key", "app-secret"]

    /// Registers the family's app. Settings without an identity wait until it is clear which app they speak of.
    private mutating func place(
        _ own: [(name: String, value: OptionValue, origin: Origin)], of family: ForeignFamily,
        _ loose: inout [(name: String, value: OptionValue, origin: Origin)]
    ) {
        guard own.contains(where: { Self.identity.contains($0.name) }) else { return loose += own }
        var draft = family.identity ?? AppDraft()
        draft.label = "the \(family.name) app"
        draft.app.clientEventsEnabled = family.clientEventsByDefault
        for setting in own { draft.set(setting.name, setting.value, setting.origin) }
        let missing = Self.identity.filter { draft.origins[$0] == nil }
        if family.identity == nil, let first = missing.first,
            let given = own.first(where: { Self.identity.contains($0.name) })
        {
            let names = family.variables.filter { if case .app(first, _) = $0.effect { true } else { false } }.map(
                \.name)
            return problems.error(
                given.origin.place(), "is set but \(names.last ?? first) is not; an app needs its id, key and secret")
        }
        draft.origin = own.first { Self.identity.contains($0.name) }?.origin ?? .builtIn
        register(draft)
    }

    private mutating func placeURL() {
        guard let variable = variables["PUSHER_URL"] else { return }
        guard let parts = PusherURL.parse(variable.value) else {
            return problems.error(variable.origin.place(), "must look like http://KEY:SECRET@HOST:PORT/apps/ID")
        }
        var draft = AppDraft(label: "the PUSHER_URL app", origin: variable.origin)
        draft.set("app-id", .text(parts.id), variable.origin)
        draft.set("app-key", .text(parts.key), variable.origin)
        draft.set("app-secret", .text(parts.secret), variable.origin)
        register(draft)
    }

    /// The same id and key again are the same app said twice; the later family's settings win.
    private mutating func register(_ draft: AppDraft) {
        let known = drafts.firstIndex { $0.app.id == draft.app.id && $0.key == draft.key }
        guard let known else { return drafts.append(draft) }
        for option in Option.app {
            guard let origin = draft.origins[option.name] else { continue }
            drafts[known].set(option.name, option.field.read(draft), origin)
        }
    }

    private mutating func addBuiltIn() {
        drafts = [.builtIn]
        isDefaultApp = true
    }

    /// For settings that do not name their app.
    private mutating func setOnly(_ name: String, _ value: OptionValue, _ origin: Origin) {
        guard drafts.count == 1 else {
            let ids = drafts.map { $0.app.id.quoted }.joined(separator: ", ")
            return problems.error(
                origin, "speaks of the only app, but there are \(drafts.count) (\(ids)); set it in the file")
        }
        drafts[0].set(name, value, origin)
        if Self.identity.contains(name) { isDefaultApp = false }
    }

    // MARK: Native app options

    /// `STARLING_APP_*` and app flags: they change the only app, or add one when they name it whole.
    mutating func finishApps() {
        var given: [(name: String, value: OptionValue, origin: Origin)] = []
        for option in Option.app {
            guard let variable = variables[option.variable] else { continue }
            parseApp(option.name, .none, variable).map { given.append($0) }
        }
        for flag in flags.given where Self.appByName[flag.name] != nil && !flag.value.isEmpty {
            parseApp(flag.name, .none, .init(value: flag.value, origin: .flag(flag.spelled))).map { given.append($0) }
        }
        if drafts.isEmpty, !problems.hasErrors || !given.isEmpty || file == nil { addBuiltIn() }
        guard drafts.count > 1, !given.isEmpty else {
            for setting in given where !drafts.isEmpty { setOnly(setting.name, setting.value, setting.origin) }
            return
        }
        guard Self.identity.allSatisfy({ name in given.contains { $0.name == name } }) else {
            for setting in given { setOnly(setting.name, setting.value, setting.origin) }
            return
        }
        var draft = AppDraft(label: "the STARLING_APP_* app", origin: given[0].origin)
        for setting in given { draft.set(setting.name, setting.value, setting.origin) }
        register(draft)
    }
}

extension AppDraft {
    mutating func set(_ name: String, _ value: OptionValue, _ origin: Origin) {
        guard let option = Loader.appByName[name] else { preconditionFailure("no app option is called \(name)") }
        option.field.write(value, to: &self)
        origins[name] = origin
        if name == "app-keys" { keyOrigins = moreKeys.map { _ in origin } }
        // Alias `1` belongs to the built-in id, not to an app of another name.
        if name == "app-id", origins["app-aliases"] == nil { app.aliases = app.id == BuiltInApp.id ? app.aliases : [] }
    }
}
