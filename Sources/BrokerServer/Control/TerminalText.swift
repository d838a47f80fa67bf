extension String {
    /// Without a character that a terminal would obey, or that changes the order in which others are shown: those of clients stand in names of
    /// channels, users and events, and in data. Each becomes `\u009b`, as JSON writes it, so that JSON stays the same JSON.
    var printable: String {
        guard unicodeScalars.contains(where: Self.isObeyed) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            if Self.isObeyed(scalar) {
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// C0, DEL and C1 (ECMA-48 §5.2, §5.3); marks, embeddings and isolates of direction (UAX #9 §2); breaks of lines.
    private static func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
