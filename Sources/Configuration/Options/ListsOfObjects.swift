import BrokerCore
import Wire

// The lists of objects that there are.

extension ObjectList where Settings == ServerSettings {
    static let certificates = ObjectList(
        \.tls.further, blank: TLSSettings.Pair(),
        rows: [
            .member("certificate", .text(\.certificate), "File with the certificate and its chain, in PEM"),
            .member("key", .text(\.key), "File with its private key, in PEM"),
            .member("keyPassphraseFile", .text(\.keyPassphraseFile), "File whose first line decrypts the key"),
        ], textForm: "CERTIFICATE:KEY"
    ) { text in
        let paths = text.split(separator: ":", omittingEmptySubsequences: false).map(\.trimmed)
        guard paths.count == 2, !paths.contains("") else {
            return .failure(ValueError(text: "must be certificate:key pairs of paths separated by commas"))
        }
        return .success(TLSSettings.Pair(certificate: paths[0], key: paths[1]))
    }
}

extension ObjectList where Settings == AppDraft {
    static let keys = ObjectList(
        \.moreKeys, blank: AppSettings.Key(key: "", secret: ""),
        rows: [
            .member("key", .text(\.key), "Public key, /app/{key}"),
            .member("secret", .secret(\.secret), "Secret that signs requests and subscriptions"),
        ], textForm: "KEY:SECRET"
    ) { pair in
        guard let colon = pair.firstIndex(of: ":") else {
            return .failure(ValueError(text: "must be key:secret pairs separated by commas"))
        }
        return .success(.init(key: pair[..<colon].trimmed, secret: pair[colon...].dropFirst().trimmed))
    }

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
