/// Keeps an app's secret out of the log when a peer sends it where it does not belong: as the key, for instance, which is repeated in the
/// refusal.
///
/// Knows only hashes, of 8 bytes for each secret and its beginnings as long as the excerpts that refusals show.
struct SecretFilter: Sendable {
    /// Shorter secrets are ordinary words.
    private static let bytesMin = 8
    private static let excerptBytes = [40, 64]
    private let hashes: Set<Int>

    init(secrets: some Sequence<String>) {
        var hashes: Set<Int> = []
        for secret in secrets where secret.utf8.count >= Self.bytesMin {
            hashes.insert(Self.hash(secret.utf8[...]))
            for bytes in Self.excerptBytes where secret.utf8.count > bytes {
                hashes.insert(Self.hash(secret.utf8.prefix(bytes)))
            }
        }
        self.hashes = hashes
    }

    /// The text with `(secret)` for every word that is one. Base 64 has `/`, `+` and `=` in its words, a path and a query between them:
    /// both readings are tried.
    func redacted(_ text: String) -> String {
        redacted(redacted(text) { Self.isOfToken($0) || "/+=".utf8.contains($0) }, Self.isOfToken)
    }

    private func redacted(_ text: String, _ isOfWord: (UInt8) -> Bool) -> String {
        var (result, rest) = ("", text.utf8[...])
        while !rest.isEmpty {
            let word = rest.prefix(while: isOfWord)
            result += isSecret(word) ? "(secret)" : String(Substring(word))
            rest = rest[word.endIndex...]
            let gap = rest.prefix { !isOfWord($0) }
            result += String(Substring(gap))
            rest = rest[gap.endIndex...]
        }
        return result
    }

    private func isSecret(_ word: Substring.UTF8View) -> Bool {
        word.count >= Self.bytesMin && hashes.contains(Self.hash(word))
    }

    private static func isOfToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-_.~!$@#%^*".utf8.contains(byte) || byte >= 0x80
        }
    }

    private static func hash(_ word: Substring.UTF8View) -> Int {
        var hasher = Hasher()
        for byte in word { hasher.combine(byte) }
        return hasher.finalize()
    }
}
