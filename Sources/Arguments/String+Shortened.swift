extension String {
    /// Fit to be quoted in a message: one line, no control characters, at most 60 characters.
    public var shortened: String {
        var shown = ""
        for (index, scalar) in unicodeScalars.enumerated() {
            guard index < 60 else { return shown + "…" }
            if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) {
                shown += "?"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
