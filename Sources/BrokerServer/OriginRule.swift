internal import Wire

/// Whether a browser's `Origin` is on an app's list (Pusher protocol §1.2, PW-016).
///
/// An entry is `*`, a whole origin (`https://shop.example:8443`), a host (`shop.example`), or a host with all its
/// subdomains (`*.shop.example`). Without a scheme, scheme and port do not matter. Hosts compare without case.
enum OriginRule {
    static func allows(_ origin: String, _ entries: [String]) -> Bool {
        guard !entries.isEmpty else { return true }
        let origin = origin.lowercased()
        let host = host(of: origin)
        return entries.contains { entry in
            let entry = entry.lowercased()
            if entry == "*" || entry == origin { return true }
            if entry.hasPrefix("*.") { return host.hasSuffix(entry.dropFirst()) }
            return entry == host
        }
    }

    /// `https://[::1]:8443` → `[::1]`
    private static func host(of origin: String) -> Substring {
        guard let scheme = origin.firstPlace(of: "://") else { return origin[...] }
        let authority = origin[scheme.upperBound...]
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return authority[...end] }
        return authority.prefix { $0 != ":" }
    }
}
