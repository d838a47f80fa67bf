import Arguments
import BrokerCore

extension Loader {
    /// A setting of some app that was read before it is clear of which.
    struct AppValue {
        var option: String
        var value: OptionValue
        var origin: Origin
        /// Of the elements of a list and their members, where they have some of their own.
        var places: [String: Origin] = [:]
    }

    /// A family that named an app stands by its own; the rest waits until it is clear which app it speaks of.
    struct ForeignApps {
        var loose: [AppValue] = []
        var everyApp: [AppValue] = []
    }

    static let identity = ["app-id", "app-key", "app-secret"]

    // MARK: Foreign names

    mutating func readForeign() {
        var apps = ForeignApps()
        for family in ForeignFamily.all {
            var own: [AppValue] = []
            for (name, effect) in family.variables {
                guard let variable = variables[name] else { continue }
                if case .ignored = effect {} else { foreignInUse.insert(family.name) }
                switch effect {
                case .app(let options, let conversion):
                    for option in options { parseApp(option, conversion, variable).map { own.append($0) } }
                case .everyApp(let options, let conversion):
                    for option in options { parseApp(option, conversion, variable).map { apps.everyApp.append($0) } }
                case .size(let server, let options): readSize(server, options, variable, &apps.everyApp)
                case .webhooks: parseSoketiWebhooks(variable).map { own.append($0) }
                default: apply(effect, variable)
                }
            }
            checkOnceOnly(own)
            place(own, of: family, &apps.loose)
            if family.name == "Pusher" { placeURL() }
        }
        apps.everyApp += everyAppOfFile.map { AppValue(option: $0.option, value: $0.value, origin: $0.origin) }
        applyEffects(apps)
    }

    private mutating func applyEffects(_ apps: ForeignApps) {
        if !apps.loose.isEmpty || !apps.everyApp.isEmpty { startApp() }
        for setting in apps.loose where !drafts.isEmpty { setOnly(setting) }
        for setting in apps.everyApp {
            // In the other server this is the default of every app, so what an app says itself stands.
            for index in drafts.indices where drafts[index].origins[setting.option] == nil {
                drafts[index].set(setting)
            }
        }
    }

    /// Two names of one option, such as `PUSHER_KEY` and `PUSHER_APP_KEY`, have to agree.
    private mutating func checkOnceOnly(_ own: [AppValue]) {
        var first: [String: AppValue] = [:]
        for setting in own {
            if let other = first[setting.option], other.value != setting.value {
                problems.error(
                    setting.origin.place(), "says something else than \(other.origin.place()); give one of them")
            }
            first[setting.option] = setting
        }
    }

    private mutating func readSize(
        _ server: String, _ options: [String], _ variable: Variables.Variable, _ everyApp: inout [AppValue]
    ) {
        setServer(server, variable.value, variable.origin)
        guard origins[server] == variable.origin else { return }
        let follows = Origin.derived("follows \(variable.origin.name), which is its only limit there")
        for name in options {
            guard let option = Self.appByName[name], let number = Int(variable.value) else { continue }
            everyApp.append(AppValue(option: name, value: .integer(option.field.clamped(number)), origin: follows))
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
        case .elsewhere(let text): problems.warning(origin.place(), text)
        case .batching(let part):
            if let fault = batching.set(part, value, origin) { problems.error(origin, value: value, fault) }
        case .app, .webhooks, .everyApp, .size, .wholeApp, .ignored: break
        }
    }

    private mutating func parseApp(
        _ name: String, _ conversion: ForeignFamily.Conversion, _ variable: Variables.Variable
    ) -> AppValue? {
        guard let option = Self.appByName[name] else { preconditionFailure("no app option is called \(name)") }
        if case .objects(let list) = option.field, variable.value.trimmed.hasPrefix("[") {
            return parseObjects(option, list, variable)
        }
        switch conversion.apply(variable.value).flatMap({ option.field.parse($0) }) {
        case .success(let value): return AppValue(option: name, value: value, origin: variable.origin)
        case .failure(let error):
            problems.error(variable.origin, value: option.field.isSecret ? nil : variable.value, error.text)
            return nil
        }
    }

    /// Registers the family's app, whole. Settings without an identity wait until it is clear which app they speak of.
    private mutating func place(_ own: [AppValue], of family: ForeignFamily, _ loose: inout [AppValue]) {
        let identity = own.filter { Self.identity.contains($0.option) }
        guard let first = identity.first else { return loose += own }
        var draft = family.hasDefaultID ? AppDraft.unnamed : AppDraft()
        draft.label = "the \(family.name) app"
        draft.app.clientEventsEnabled = family.clientEventsByDefault
        draft.family = family.name
        for setting in own { draft.set(setting) }
        let needed = Self.identity.filter { $0 != "app-id" || !family.hasDefaultID }
        if let missing = needed.first(where: { draft.origins[$0] == nil }) {
            let names = family.variables.filter { variable in
                if case .app([missing], _) = variable.effect { true } else { false }
            }
            isIncomplete = true
            return problems.error(
                first.origin.place(),
                "is set but \(names.last?.name ?? missing) is not; an app needs its id, key and secret")
        }
        draft.origin = first.origin
        register(draft)
    }

    private mutating func placeURL() {
        guard let variable = variables["PUSHER_URL"] else { return }
        guard let parts = PusherURL.parse(variable.value) else {
            isIncomplete = true
            return problems.error(variable.origin.place(), "must look like http://KEY:SECRET@HOST:PORT/apps/ID")
        }
        var draft = AppDraft(label: "the PUSHER_URL app", origin: variable.origin)
        draft.family = "Pusher"
        draft.set("app-id", .text(parts.id), variable.origin)
        draft.set("app-key", .text(parts.key), variable.origin)
        draft.set("app-secret", .text(parts.secret), variable.origin)
        register(draft)
    }

    /// The same id and key again are the same app said twice; the later family's settings win, but two secrets would be two
    /// apps.
    private mutating func register(_ draft: AppDraft) {
        let known = drafts.firstIndex { $0.app.id == draft.app.id && $0.key == draft.key }
        guard let known else { return drafts.append(draft) }
        let first = drafts[known]
        if first.family != nil, draft.family != nil, first.secret != draft.secret {
            return problems.error(
                draft.origin(of: "app-secret").place(),
                "is another secret of app \(draft.app.id.quoted) than \(first.origin(of: "app-secret").place()); "
                    + "both name key \(draft.key.quoted), so give it one secret")
        }
        for option in Option.app {
            guard let origin = draft.origins[option.name] else { continue }
            let places = draft.origins.filter { $0.key.hasPrefix(option.key + "[") }
            drafts[known].set(
                AppValue(option: option.name, value: option.field.read(draft), origin: origin, places: places))
        }
    }

    /// The app that is there when none was named elsewhere: the built-in one, or one that `STARLING_APP_*` and flags will make
    /// of it with credentials of its own.
    private mutating func startApp() {
        guard drafts.isEmpty, !isIncomplete else { return }
        if let origin = nativeIdentity {
            var draft = AppDraft.unnamed
            (draft.label, draft.origin) = ("the STARLING_APP_* app", origin)
            (drafts, namedOrigin) = ([draft], origin)
        } else if let emptyApps {
            problems.error(emptyApps.place(), "apps: names no app; leave it out to have the built-in one")
            isIncomplete = true
        } else if let (origin, meant) = misnamed.first {
            problems.error(
                origin.place(),
                "seems to name an app, but nobody reads it — did you mean \(meant)? "
                    + "The built-in app does not take its place")
            isIncomplete = true
        } else {
            (drafts, isDefaultApp) = ([.builtIn], true)
        }
    }

    /// What says who the app is, rather than how the built-in one behaves.
    private var nativeIdentity: Origin? {
        for name in Self.identity + ["app-keys"] {
            if let variable = variables["STARLING_" + name.screaming] { return variable.origin }
            if let flag = flags.value(name), !flag.value.isEmpty { return .flag(flag.spelled) }
        }
        return nil
    }

    /// For settings that do not name their app.
    private mutating func setOnly(_ setting: AppValue) {
        guard drafts.count == 1 else {
            let ids = drafts.map { $0.app.id.quoted }.joined(separator: ", ")
            return problems.error(
                setting.origin, "speaks of the only app, but there are \(drafts.count) (\(ids)); set it in the file")
        }
        drafts[0].set(setting)
    }

    // MARK: Native app options

    /// `STARLING_APP_*` and app flags: they change the only app, or add one when they name it whole.
    mutating func finishApps() {
        var given: [AppValue] = []
        for option in Option.app {
            guard let variable = variables[option.variable] else { continue }
            parseApp(option.name, .none, variable).map { given.append($0) }
        }
        for flag in flags.given {
            guard let option = Self.appByName[flag.name], let value = flags.text(of: option.field, flag) else {
                continue
            }
            parseApp(flag.name, .none, .init(value: value, origin: .flag(flag.spelled))).map { given.append($0) }
        }
        // A file with errors may have named apps that could not be read.
        if !problems.hasErrors || !given.isEmpty || file == nil { startApp() }
        guard drafts.count > 1, Self.identity.allSatisfy({ name in given.contains { $0.option == name } }) else {
            for setting in given where !drafts.isEmpty { setOnly(setting) }
            return checkWhole()
        }
        var draft = AppDraft(label: "the STARLING_APP_* app", origin: given[0].origin)
        for setting in given { draft.set(setting) }
        register(draft)
    }

    /// Half an app is told as what is missing, by the name under which it would be given.
    private mutating func checkWhole() {
        guard let namedOrigin, let draft = drafts.first else { return }
        // `STARLING_APP_KEYS` alone names whole pairs.
        if draft.key.isEmpty, draft.secret.isEmpty, !draft.moreKeys.isEmpty { return }
        let missing = [("app-key", draft.key), ("app-secret", draft.secret)].filter { $0.1.isEmpty }.map { name, _ in
            "STARLING_" + name.screaming
        }
        guard !missing.isEmpty else { return }
        problems.error(
            namedOrigin,
            "names an app, but \(missing.joined(separator: " and ")) \(missing.count == 1 ? "is" : "are") missing"
                + "; an app needs a key and its secret")
        drafts = []
    }
}

extension AppDraft {
    mutating func set(_ setting: Loader.AppValue) {
        guard let option = Loader.appByName[setting.option] else {
            preconditionFailure("no app option is called \(setting.option)")
        }
        if case .objects = option.field {
            // Those of the list that was there before.
            for place in origins.keys where place.hasPrefix(option.key + "[") { origins[place] = nil }
            origins.merge(setting.places) { $1 }
        }
        set(setting.option, setting.value, setting.origin)
    }

    mutating func set(_ name: String, _ value: OptionValue, _ origin: Origin) {
        guard let option = Loader.appByName[name] else { preconditionFailure("no app option is called \(name)") }
        option.field.write(value, to: &self)
        origins[name] = origin
        // Alias `1` belongs to the built-in id, not to an app of another name.
        if name == "app-id", origins["app-aliases"] == nil { app.aliases = app.id == BuiltInApp.id ? app.aliases : [] }
    }
}
