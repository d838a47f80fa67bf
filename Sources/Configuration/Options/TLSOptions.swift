/// TLS.
extension Option where Settings == ServerSettings {
    static let tls: [Option] = [
        .init(
            name: "tls-certificate", key: "tls.certificate", field: .text(\.tls.standard.certificate), group: .tls,
            isReloadable: true, help: "File with the certificate and its chain, in PEM; turns TLS on"),
        .init(
            name: "tls-key", key: "tls.key", field: .text(\.tls.standard.key), group: .tls, isReloadable: true,
            help: "File with its private key, in PEM"),
        .init(
            name: "tls-key-passphrase-file", key: "tls.keyPassphraseFile",
            field: .text(\.tls.standard.keyPassphraseFile), group: .tls, isReloadable: true,
            help: "File whose first line decrypts the key"),
        .init(
            name: "tls-certificates", key: "tls.certificates", field: .objects(.certificates), group: .tls,
            isReloadable: true,
            help: "Further pairs, chosen by the host that a client asks for (as text: certificate:key,…)"),
        .init(
            name: "tls-port", key: "tls.port", field: .integer(\.tls.portNumber, -1...65_535), group: .tls,
            help: "Port that has TLS alone; -1: the other port serves both, 0 picks a free one"),
        .init(
            name: "tls-only", key: "tls.only", field: .boolean(\.tls.isOnly), group: .tls,
            help: "Answer plain HTTP with a sentence and nothing else"),
    ]
}

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
