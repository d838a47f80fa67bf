import Arguments
import BrokerCore
import Wire

/// What apps say of their webhooks: in variables and flags, after other servers, and whether all of it fits together.
extension Loader {
    /// Endpoints of one app.
    static let endpointsMax = 16

    /// A list of objects that a variable or a flag has in the form of the file.
    mutating func parseObjects(
        _ option: Option<AppDraft>, _ list: ObjectList<AppDraft>, _ variable: Variables.Variable
    ) -> AppValue? {
        parseObjects(option, list, variable) { node, _, _ in node }
    }

    /// soketi's form in a variable of its own.
    mutating func parseSoketiWebhooks(_ variable: Variables.Variable) -> AppValue? {
        guard let option = Self.appByName["webhooks"], case .objects(let list) = option.field else {
            preconditionFailure("webhooks are a list of objects")
        }
        guard variable.value.trimmed.hasPrefix("[") else {
            // Its headers may hold tokens, so the value is not shown.
            problems.error(variable.origin.place(), "must be a JSON array of webhooks")
            return nil
        }
        return parseObjects(option, list, variable) { SoketiWebhooks.native($0, $1, "webhooks", &$2) }
    }

    private mutating func parseObjects(
        _ option: Option<AppDraft>, _ list: ObjectList<AppDraft>, _ variable: Variables.Variable,
        translated: (Node, SourceText, inout ProblemList) -> Node?
    ) -> AppValue? {
        let source = SourceText(path: variable.origin.place(), bytes: Array(variable.value.utf8))
        var (node, found) = FileReader.read(source)
        node = node.flatMap { translated($0, source, &found) }
        var reader = ObjectReader(source)
        let value = node.flatMap { reader.read($0, list, key: option.key, label: option.key) }
        for var problem in found.all + reader.problems.all {
            if case .flag = variable.origin { problem.isUsage = problem.severity == .error }
            problems.append([problem])
        }
        return value.map {
            AppValue(option: option.name, value: $0, origin: variable.origin, places: reader.origins)
        }
    }

    // MARK: When all apps are known

    mutating func finishWebhooks() {
        allowPrivateForBuiltIn()
        guard let (milliseconds, _) = batching.wait else { return }
        for app in drafts.indices {
            for index in drafts[app].webhooks.indices {
                guard drafts[app].origins["webhooks[\(index)].batchMilliseconds"] == nil else { continue }
                drafts[app].webhooks[index].endpoint.batchMilliseconds = milliseconds
                guard drafts[app].origins["webhooks[\(index)].batchEvents"] == nil else { continue }
                // soketi has no bound.
                drafts[app].webhooks[index].endpoint.batchEventsMax = 1_000
            }
        }
    }

    /// Whoever develops has the receiver on the same machine.
    private mutating func allowPrivateForBuiltIn() {
        guard isDefaultApp, let draft = drafts.first else { return }
        for index in draft.webhooks.indices where draft.origins["webhooks[\(index)].allowPrivate"] == nil {
            drafts[0].webhooks[index].endpoint.allowsPrivate = true
        }
    }

    mutating func checkEndpoints() {
        for draft in drafts where !draft.webhooks.isEmpty {
            if draft.webhooks.count > Self.endpointsMax {
                problems.error(
                    draft.origin(of: "webhooks"),
                    "\(draft.label).webhooks: \(draft.webhooks.count) endpoints, but an app has at most \(Self.endpointsMax)"
                )
            }
            for (index, webhook) in draft.webhooks.enumerated() { check(webhook, EndpointPlaces(draft, index)) }
        }
    }

    private mutating func check(_ webhook: WebhookDraft, _ places: EndpointPlaces) {
        let endpoint = webhook.endpoint
        check(filter: webhook.channelPrefix, places["channelPrefix"], "begins")
        check(filter: webhook.channelSuffix, places["channelSuffix"], "ends")
        guard let url = webhook.url else {
            guard !places.isGiven("url") else { return }
            return problems.error(places["url"].origin, "\(places.label): has no url")
        }
        if !endpoint.allowsPrivate, let kind = url.insideKind {
            problems.error(
                places["url"].origin,
                "\(places["url"].name): \(url.host) is not public (\(kind)); webhooks go there only when the endpoint says "
                    + "\"allowPrivate\": true")
        }
        if !url.isSecure, let name = ["clientCertificate", "clientKey", "authority"].first(where: places.isGiven) {
            problems.warning(
                places[name].origin.place(),
                "\(places[name].name): has no effect, because the URL is http and not https")
        }
    }

    private mutating func check(filter text: String, _ place: TLSPlace, _ verb: String) {
        let isOfName = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "_-=@,.;".utf8.contains(byte)
            }
        }
        guard !isOfName else { return }
        problems.error(
            place.origin,
            "\(place.name): no channel's name \(verb) so; they have A-Z a-z 0-9 _ - = @ , . ; and a text, no pattern"
        )
    }

    mutating func checkFiles(ofEndpoints readFile: LoadedSettings.ReadFile) {
        for draft in drafts {
            for (index, webhook) in draft.webhooks.enumerated() {
                check(filesOf: webhook.endpoint, EndpointPlaces(draft, index), readFile)
            }
        }
    }

    private mutating func check(
        filesOf endpoint: WebhookEndpoint, _ places: EndpointPlaces, _ readFile: LoadedSettings.ReadFile
    ) {
        let (certificate, key) = (endpoint.clientCertificate, endpoint.clientKey)
        if certificate.isEmpty != key.isEmpty {
            let (missing, given) =
                certificate.isEmpty ? ("clientCertificate", "clientKey") : ("clientKey", "clientCertificate")
            problems.error(
                places[given].origin,
                "\(places[missing].name) is missing; a certificate and its key are given together")
        }
        guard readsFiles else { return }
        if !endpoint.authority.isEmpty { checkCertificate(endpoint.authority, places["authority"], readFile) }
        if !certificate.isEmpty { checkCertificate(certificate, places["clientCertificate"], readFile) }
        if !key.isEmpty { checkKey(key, places["clientKey"], readFile) }
    }
}

/// What the members of an endpoint are called in a message, and where they were given.
private struct EndpointPlaces {
    private let draft: AppDraft
    private let key: String
    let label: String

    init(_ draft: AppDraft, _ index: Int) {
        self.draft = draft
        (key, label) = ("webhooks[\(index)]", "\(draft.label).webhooks[\(index)]")
    }

    func isGiven(_ member: String) -> Bool { draft.origins["\(key).\(member)"] != nil }

    subscript(_ member: String) -> TLSPlace {
        let origin = draft.origins["\(key).\(member)"] ?? draft.origins[key] ?? draft.origin(of: "webhooks")
        return TLSPlace("\(label).\(member)", origin)
    }
}
