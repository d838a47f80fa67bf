import BrokerCore

/// An app while its pieces are being collected. Its first key stands apart, since that is how operators write it.
struct AppDraft: Sendable, Equatable {
    var key = ""
    var secret = ""
    var moreKeys: [AppSettings.Key] = []
    var app = AppSettings(id: "", keys: [])
    var webhooks: [WebhookDraft] = []
    /// By option name; what is missing is built in. Of elements of a list, and of their members, by place: `webhooks[0].url`.
    var origins: [String: Origin] = [:]
    /// `apps[0]`, or the family of variables it was read from: begins a message.
    var label = ""
    /// Where its object stands in the file, if it does.
    var origin = Origin.builtIn
    /// The other server that it comes from.
    var family: String?
    /// The same for an app of a file, whose settings the variables override.
    var fileFamily: String?
    /// One request body in the server whose limits it keeps, in bytes; `nil`: it has ours.
    var foreignBodyBytes: Int?

    static let builtIn: AppDraft = {
        var draft = AppDraft(key: BuiltInApp.key, secret: BuiltInApp.secret, label: "the built-in app")
        draft.app.id = BuiltInApp.id
        draft.app.aliases = BuiltInApp.aliases
        draft.app.clientEventsEnabled = true
        return draft
    }()

    /// The built-in app without its credentials, for one that brings its own.
    static let unnamed: AppDraft = {
        var draft = builtIn
        (draft.key, draft.secret) = ("", "")
        return draft
    }()

    /// The finished app; complete when `Loader.checkApps` found nothing wrong with the draft.
    var settings: AppSettings {
        var settings = app
        settings.keys = (key.isEmpty ? [] : [AppSettings.Key(key: key, secret: secret)]) + moreKeys
        settings.webhooks = WebhookDraft.endpoints(webhooks, app: app.id)
        return settings
    }

    func origin(of name: String) -> Origin { origins[name] ?? origin }
}
