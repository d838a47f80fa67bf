internal import Wire

/// An entry of `allowedOrigins`, in the form that `OriginRule` compares with what browsers send (RFC 6454 §6.2): lower case,
/// no final slash, no default port.
///
///     *    null    https://shop.example    https://shop.example:8443    shop.example    *.shop.example
struct OriginPattern {
    /// What the operator wrote, without blanks and in lower case.
    private let entry: String
    private var scheme = ""
    private var host = ""
    private var port: Int?
    private var tail = ""

    static func parse(_ text: String) -> Result<String, ValueError> {
        var pattern = OriginPattern(text)
        do throws(ValueError) {
            return .success(try pattern.canonical())
        } catch {
            return .failure(error)
        }
    }

    private init(_ text: String) {
        entry = text.trimmed.lowercased()
    }

    private mutating func canonical() throws(ValueError) -> String {
        if entry == "*" || entry == "null" { return entry }
        guard !entry.isEmpty else { throw ValueError(text: "an entry is empty; write \"*\" to allow all pages") }
        guard entry.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw fault("is not ASCII; browsers send such a name as xn--…, so write it like that")
        }
        try split()
        try checkScheme()
        try checkHost()
        guard tail.isEmpty || tail == "/" else {
            throw fault("has a path, which no origin has; write \((scheme.isEmpty ? host : origin).quoted)")
        }
        return scheme.isEmpty ? host : origin
    }

    /// `scheme://host:port`, the port only where it is not the scheme's own.
    private var origin: String {
        let standard = ["http": 80, "https": 443][scheme]
        return scheme + "://" + host + (port == nil || port == standard ? "" : ":\(port ?? 0)")
    }

    private func fault(_ text: String) -> ValueError { ValueError(text: "\(entry.quoted) \(text)") }

    // MARK: Parts

    private mutating func split() throws(ValueError) {
        var rest = entry[...]
        if let mark = rest.firstPlace(of: "://") {
            scheme = String(rest[..<mark.lowerBound])
            guard !scheme.isEmpty else { throw fault("begins without a scheme; write https://… or only the host") }
            rest = rest[mark.upperBound...]
        }
        let authority = rest.prefix { !"/?#".contains($0) }
        tail = String(rest[authority.endIndex...])
        guard !authority.contains("@") else { throw fault("has a user name, which no origin has") }
        try splitPort(authority)
    }

    private mutating func splitPort(_ authority: Substring) throws(ValueError) {
        var digits: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw fault("lacks the ] of an IPv6 address") }
            host = String(authority[...end])
            digits = authority[end...].dropFirst()
            guard digits.isEmpty || digits.hasPrefix(":") else { throw fault("has text after the ]") }
        } else {
            let name = authority.prefix { $0 != ":" }
            host = String(name)
            digits = authority[name.endIndex...]
            guard digits.filter({ $0 == ":" }).count < 2 else {
                throw fault("is an IPv6 address, which an origin has in brackets; write [\(authority)]")
            }
        }
        guard digits.count > 1 else { return }
        digits = digits.dropFirst()
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
            (1...65_535).contains(number)
        else { throw fault("has a port that is none (1 to 65535)") }
        port = number
    }

    // MARK: Checks

    private func checkScheme() throws(ValueError) {
        guard !scheme.isEmpty else {
            guard port == nil || host.hasPrefix("*.") else {
                throw fault("has a port and no scheme; write \"https://\(host):\(port ?? 0)\" or http://…")
            }
            return
        }
        let isLegal = scheme.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case 0x61...0x7A: true
            case 0x30...0x39, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): index > 0
            default: false
            }
        }
        guard isLegal else {
            throw fault("has a scheme that is none; write https://…, or only the host for any scheme")
        }
        if scheme == "ws" || scheme == "wss" {
            let page = scheme == "wss" ? "https" : "http"
            throw fault("is where pages connect to; the origin of a page begins with \(page)://")
        }
    }

    private func checkHost() throws(ValueError) {
        if host.isEmpty {
            // Some web views send `file://`.
            guard !scheme.isEmpty, scheme != "http", scheme != "https", port == nil else { throw fault("has no host") }
            return
        }
        var name = host[...]
        if host.hasPrefix("*.") {
            guard scheme.isEmpty, port == nil else {
                throw fault("is a pattern, which stands without scheme and port; write \(host.quoted)")
            }
            name = name.dropFirst(2)
        }
        guard !name.contains("*") else { throw fault("is no pattern that is known; those are \"*\" and \"*.host\"") }
        if name.hasPrefix(".") { throw fault("begins with a dot; write \"*\(name)\" for all names below") }
        let isAddress = name.hasPrefix("[")
        let inner = isAddress ? name.dropFirst().dropLast() : name
        let isLegal = inner.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "."): true
            case UInt8(ascii: ":"): isAddress
            default: !isAddress && (byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_"))
            }
        }
        guard !inner.isEmpty, isLegal else { throw fault("has a host that is none") }
    }
}
