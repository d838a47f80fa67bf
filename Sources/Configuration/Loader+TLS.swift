import Arguments
internal import Wire

/// What shows of TLS before anything is decoded: what is missing, what contradicts, and files that are not there or hold something else.
extension Loader {
    mutating func checkTLS(_ readFile: LoadedSettings.ReadFile) {
        let tls = settings.tls
        let names = TLSNames(
            certificate: tlsPlace("tls-certificate"), key: tlsPlace("tls-key"),
            passphrase: tlsPlace("tls-key-passphrase-file"))
        if tls.standard != TLSSettings.Pair() { check(tls.standard, names, readFile) }
        for (index, pair) in tls.further.enumerated() { check(pair, furtherNames(index), readFile) }
        if !tls.isOn { checkWithoutCertificate() }
        if let port = tls.port, port != 0, Int(port) == settings.port {
            problems.error(
                origins["tls-port"] ?? .builtIn,
                "tls.port: \(port) is the port of plain HTTP; leave tls.port out, and that one serves both")
        }
    }

    /// One pair's three members: what each is called and where it was given.
    private struct TLSNames {
        let certificate, key, passphrase: TLSPlace
    }

    private func tlsPlace(_ option: String) -> TLSPlace {
        TLSPlace(Self.serverByName[option]?.key ?? option, origins[option] ?? .builtIn)
    }

    /// A member of the file has a place of its own; of a flag or a variable the whole list has one.
    private func furtherNames(_ index: Int) -> TLSNames {
        let list = tlsPlace("tls-certificates")
        func place(_ member: String) -> TLSPlace {
            let path = "\(list.name)[\(index)]"
            guard case .file = list.origin else { return TLSPlace("\(path).\(member)", list.origin) }
            let element = origins[path] ?? list.origin
            return TLSPlace("\(path).\(member)", origins["\(path).\(member)"] ?? element)
        }
        return TLSNames(
            certificate: place("certificate"), key: place("key"), passphrase: place("keyPassphraseFile"))
    }

    private mutating func checkWithoutCertificate() {
        let needs = "needs a certificate; give tls.certificate and tls.key (--tls-certificate, --tls-key)"
        if settings.tls.portNumber != TLSSettings.noPort {
            problems.error(origins["tls-port"] ?? .builtIn, "tls.port: \(needs)")
        }
        if settings.tls.isOnly { problems.error(origins["tls-only"] ?? .builtIn, "tls.only: \(needs)") }
    }

    private mutating func check(_ pair: TLSSettings.Pair, _ names: TLSNames, _ readFile: LoadedSettings.ReadFile) {
        let given = [names.certificate.origin, names.key.origin, names.passphrase.origin].first { $0 != .builtIn }
        for (path, place, other) in [
            (pair.certificate, names.certificate, names.key), (pair.key, names.key, names.certificate),
        ]
        where path.isEmpty {
            let origin = other.origin == .builtIn ? given : other.origin
            problems.error(
                (origin ?? .builtIn).place(), "\(place.name) is missing; a certificate and its key are given together")
        }
        guard readsFiles else { return }
        if !pair.certificate.isEmpty { checkCertificate(pair.certificate, names.certificate, readFile) }
        if !pair.key.isEmpty {
            checkKey(
                pair.key, isDecrypted: !pair.keyPassphraseFile.isEmpty, names.key, readFile,
                advice: "write its passphrase into a file and give keyPassphraseFile (--tls-key-passphrase-file)")
        }
        if !pair.keyPassphraseFile.isEmpty { checkPassphrase(pair.keyPassphraseFile, names.passphrase, readFile) }
    }

    // MARK: Files

    /// No file of PEM that is meant is larger.
    private static let pemBytesMax = 1 << 20

    private mutating func bytes(_ path: String, _ place: TLSPlace, _ readFile: LoadedSettings.ReadFile)
        -> [UInt8]?
    {
        guard path != "-" else {
            problems.error(place.origin.place(), "\(place.name): must be a file; it is read again when it changes")
            return nil
        }
        switch readFile(path) {
        case .success(let bytes) where bytes.count <= Self.pemBytesMax: return bytes
        case .success:
            problems.error(
                place.origin.place(), "\(place.name): \(path.quoted) is larger than \(Self.pemBytesMax) bytes")
        case .failure(let error):
            problems.error(place.origin.place(), "\(place.name): \(path.quoted) cannot be read: \(error.text)")
        }
        return nil
    }

    private mutating func pem(_ path: String, _ place: TLSPlace, _ readFile: LoadedSettings.ReadFile) -> PEMText? {
        guard let bytes = bytes(path, place, readFile) else { return nil }
        // A certificate in DER is a SEQUENCE (X.690 §8.9), which no line of PEM begins like.
        guard bytes.first != 0x30 else {
            problems.error(
                place.origin.place(), "\(place.name): \(path.quoted) is in DER, and PEM is needed (openssl converts it)"
            )
            return nil
        }
        return PEMText(text: String(decoding: bytes, as: UTF8.self))
    }

    mutating func checkCertificate(_ path: String, _ place: TLSPlace, _ readFile: LoadedSettings.ReadFile) {
        guard let pem = pem(path, place, readFile), !pem.hasCertificate else { return }
        let swapped = pem.hasKey ? "; it holds a key, so the two may be swapped" : ""
        problems.error(place.origin.place(), "\(place.name): \(path.quoted) holds no certificate in PEM\(swapped)")
    }

    /// - Parameters:
    ///   - isDecrypted: something is given that decrypts it.
    ///   - advice: what to do about one that is encrypted.
    mutating func checkKey(
        _ path: String, isDecrypted: Bool = false, _ place: TLSPlace, _ readFile: LoadedSettings.ReadFile,
        advice: String = "openssl pkey writes one that is not"
    ) {
        guard let pem = pem(path, place, readFile) else { return }
        guard pem.hasKey else {
            let swapped = pem.hasCertificate ? "; it holds a certificate, so the two may be swapped" : ""
            return problems.error(
                place.origin.place(), "\(place.name): \(path.quoted) holds no private key in PEM\(swapped)")
        }
        guard pem.isEncrypted, !isDecrypted else { return }
        problems.error(place.origin.place(), "\(place.name): the key in \(path.quoted) is encrypted; \(advice)")
    }

    private mutating func checkPassphrase(_ path: String, _ place: TLSPlace, _ readFile: LoadedSettings.ReadFile) {
        guard let bytes = bytes(path, place, readFile) else { return }
        let length = bytes.firstIndex { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } ?? bytes.count
        guard (1...TLSSettings.passphraseBytesMax).contains(length) else {
            return problems.error(
                place.origin.place(),
                "\(place.name): the first line of \(path.quoted) must be the passphrase, "
                    + "1 to \(TLSSettings.passphraseBytesMax) bytes")
        }
    }
}

/// What a path of a file is called in a message, and where it was given.
struct TLSPlace {
    let name: String
    let origin: Origin

    init(_ name: String, _ origin: Origin) { (self.name, self.origin) = (name, origin) }
}

extension TLSSettings {
    /// What OpenSSL takes (PEM_BUFSIZE). The passphrase is the first line of its file, without the line's end.
    public static let passphraseBytesMax = 1_024
}

/// What a file of PEM seems to hold (RFC 7468 §2).
private struct PEMText {
    let text: String

    var hasCertificate: Bool {
        ["-----BEGIN CERTIFICATE-----", "-----BEGIN TRUSTED CERTIFICATE-----", "-----BEGIN X509 CERTIFICATE-----"]
            .contains { text.holds($0) }
    }
    var hasKey: Bool { text.holds("PRIVATE KEY-----") }
    /// In PKCS #8, or in the older form of OpenSSL.
    var isEncrypted: Bool {
        text.holds("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.holds("Proc-Type: 4,ENCRYPTED")
    }
}
