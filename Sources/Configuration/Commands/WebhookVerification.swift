import Arguments
import BrokerCore
import PusherProtocol
import Wire

/// Whether a webhook is signed with one of some keys, and if not, what most likely happened to it. Nothing that it says tells a signature
/// or a secret.
struct WebhookVerification {
    /// A key, and how it is called in a sentence.
    struct Signer {
        var key: AppKey
        var name: String
    }

    let body: [UInt8]
    let signature: [UInt8]

    /// The one that signed the body as it is.
    func signer(among signers: [Signer]) -> Signer? { signer(of: body, among: signers) }

    private func signer(of body: [UInt8], among signers: [Signer]) -> Signer? {
        signers.first { WebhookSignature.isGenuine(signature.span, of: body.span, key: $0.key) }
    }

    /// Why nobody seems to have signed it. What has a known cause is tried out, the rest is guessed.
    /// - Parameter others: keys that were not asked for.
    func cause(_ signers: [Signer], others: [Signer]) -> String {
        if let fault = formFault { return fault }
        if body.isEmpty { return "the body is empty; give the bytes that came, with --body FILE or on standard input" }
        for (changed, cause) in changes where signer(of: changed, among: signers) != nil { return cause }
        if let other = signer(of: body, among: others) { return "it is signed with the secret of \(other.name)" }
        return isReencoded
            ? "the body has blanks between its members, as if it had been parsed and encoded again; "
                + "verify the bytes that came, before anything parses them"
            : "another secret signed it, or the body was changed on its way"
    }

    /// A text that can be nobody's signature.
    private var formFault: String? {
        let text = String(decoding: signature, as: UTF8.self)
        if text.hasPrefix("sha256=") { return "X-Pusher-Signature has no \"sha256=\" in front; give the digits alone" }
        guard signature.count == WebhookSignature.digits, Hex.decode(signature.span) != nil else {
            return "a signature is \(WebhookSignature.digits) hexadecimal digits, and this is none"
        }
        return nil
    }

    /// What happens to a body on its way into a file.
    private var changes: [(body: [UInt8], cause: String)] {
        let newline = UInt8(ascii: "\n")
        let trimmed = Array(body.reversed().drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }.reversed())
        let isMarked = body.starts(with: [0xEF, 0xBB, 0xBF])
        return [
            (
                trimmed,
                "the body has a line end or blanks at its end that were not signed (echo and editors add them; "
                    + "printf %s and curl --data-binary do not)"
            ),
            (body + [newline], "the line end at the end of the body was signed, and is missing here"),
            (body + [0x0D, newline], "the line end at the end of the body was signed, and is missing here"),
            (isMarked ? Array(body.dropFirst(3)) : body, "the body begins with a byte order mark that was not signed"),
            (body.filter { $0 != 0x0D }, "the line ends of the body were changed to those of Windows"),
        ]
    }

    /// Webhooks have no blank outside of strings.
    private var isReencoded: Bool {
        var (isString, isEscaped) = (false, false)
        for byte in body {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = isString
            } else if byte == UInt8(ascii: "\"") {
                isString.toggle()
            } else if !isString, byte <= 0x20 {
                return true
            }
        }
        return false
    }
}

/// A request as somebody recorded it: head, blank line, body.
struct RecordedRequest {
    private(set) var body: [UInt8]
    private var head: [Substring] = []

    /// - Returns: nil when the bytes are no request, but a body alone.
    init?(_ bytes: [UInt8]) {
        guard bytes.starts(with: Array("POST ".utf8)) else { return nil }
        let newline = UInt8(ascii: "\n")
        var at = bytes.startIndex
        while let end = bytes[at...].firstIndex(of: newline) {
            var line = bytes[at..<end]
            if line.last == 0x0D { line.removeLast() }
            at = end + 1
            if line.isEmpty {
                body = Array(bytes[at...])
                if let length = self["content-length"].flatMap({ Int($0) }), (0..<body.count).contains(length) {
                    body.removeLast(body.count - length)
                }
                return
            }
            head.append(String(decoding: line, as: UTF8.self)[...])
        }
        return nil
    }

    /// The value of a header field.
    subscript(_ name: String) -> String? {
        for line in head.dropFirst() {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
            return line[colon...].dropFirst().trimmed
        }
        return nil
    }
}

extension Commands {
    private typealias Signer = WebhookVerification.Signer

    /// `webhooks verify --secret S|--secret-file FILE|--app ID [--signature SIG] [--body FILE|-]`.
    func verifyWebhook(_ arguments: [String]) -> CommandOutput {
        let own = ["secret": true, "secret-file": true, "app": true, "signature": true, "body": true]
        var flags = FlagParser.parse(arguments, extra: own)
        if flags.value("help") != nil { return .success(HelpText.webhooks) }
        if let problem = usageProblem(flags, positionalsMax: 0) { return problem }
        let sources = ["secret", "secret-file", "app"].filter { flags.value($0) != nil }
        guard sources.count == 1, let source = sources.first, let value = flags.value(source)?.value else {
            return .usage("webhooks verify needs one of --secret, --secret-file and --app")
        }
        let path = flags.value("body")?.value ?? "-"
        let (bytes, fault) = contents(path, "--body")
        guard let bytes else { return fault }
        let request = RecordedRequest(bytes)
        guard let signature = flags.value("signature")?.value ?? request?["x-pusher-signature"] else {
            return .usage(
                "webhooks verify needs --signature, what stood in X-Pusher-Signature, or a recorded request with its head"
            )
        }
        flags.given.removeAll { own[$0.name] != nil }
        let verification = WebhookVerification(
            body: request?.body ?? bytes, signature: Array(signature.trimmed.utf8))
        switch source {
        case "app": return verify(verification, appID: value, flags)
        case "secret": return verify(verification, secret: value)
        default:
            let (secret, fault) = contents(value, "--secret-file")
            guard let secret else { return fault }
            return verify(verification, secret: String(decoding: secret, as: UTF8.self).trimmed)
        }
    }

    private func contents(_ path: String, _ flag: String) -> (bytes: [UInt8]?, fault: CommandOutput) {
        switch readFile(path) {
        case .success(let bytes): (bytes, .usage(""))
        case .failure(let error): (nil, .usage("flag \(flag)=\(path.shortened): cannot be read: \(error.text)"))
        }
    }

    private func verify(_ verification: WebhookVerification, secret: String) -> CommandOutput {
        guard !secret.trimmed.isEmpty else { return .usage("the secret is empty: anybody can sign with that") }
        func signers(_ secret: String) -> [Signer] {
            [Signer(key: AppKey(key: "", secret: secret), name: "the secret")]
        }
        let given = signers(secret)
        if verification.signer(among: given) != nil { return .success("the signature matches\n") }
        if secret != secret.trimmed, verification.signer(among: signers(secret.trimmed)) != nil {
            return mismatch("the secret has a blank or a line end around it")
        }
        return mismatch(verification.cause(given, others: []))
    }

    private func verify(
        _ verification: WebhookVerification, appID: String, _ flags: FlagParser.Result
    ) -> CommandOutput {
        let loaded: LoadedSettings
        switch LoadedSettings.load(
            flags: flags, environment: environment, readsNamedFiles: false, readFile: readFile)
        {
        case .failure(let failure): return .failure(failure, ending: "nothing was verified")
        case .success(let settings): loaded = settings
        }
        let apps = loaded.settings.apps
        guard let app = apps.first(where: { $0.id == appID || $0.aliases.contains(appID) }) else {
            return .usage("no app has the id \(appID.quoted)\(NearestName.hint(appID, in: apps.map(\.id)))")
        }
        func signers(_ app: AppSettings) -> [Signer] {
            app.keys.map { pair in
                Signer(
                    key: AppKey(key: pair.key, secret: pair.secret),
                    name: "key \(pair.key.quoted) of app \(app.id.quoted)")
            }
        }
        let own = signers(app)
        if let signer = verification.signer(among: own) {
            return .success("the signature matches \(signer.name)\n")
        }
        return mismatch(verification.cause(own, others: apps.filter { $0.id != app.id }.flatMap(signers)))
    }

    private func mismatch(_ cause: String) -> CommandOutput {
        CommandOutput(
            exitCode: ExitCode.failure, standardOutput: "",
            standardError: "starling webhooks verify: the signature does not match: \(cause)\n")
    }
}
