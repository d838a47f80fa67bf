/// Numbers as people read them, without Foundation.
enum Text {
    /// A decimal with so many digits after the point, rounded half away from zero.
    static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 9e18 else { return "\(value)" }
        let number = UInt64(scaled), unit = UInt64(scale)
        let sign = value < 0 && number > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(number)" }
        let fraction = String(number % unit)
        return "\(sign)\(number / unit)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// Nanoseconds as milliseconds with three digits.
    static func milliseconds(_ nanoseconds: UInt64) -> String { fixed(Double(nanoseconds) / 1e6, digits: 3) }

    /// `15,000,000`
    static func grouped(_ number: some BinaryInteger) -> String {
        var out = ""
        let digits = String(number.magnitude)
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { out.append(",") }
            out.append(digit)
        }
        return number < 0 ? "-" + out : out
    }

    /// `512`, `12.3k`, `4.56M`
    static func short(_ value: Double) -> String {
        switch value.magnitude {
        case 1e9...: fixed(value / 1e9, digits: 2) + "G"
        case 1e6...: fixed(value / 1e6, digits: 2) + "M"
        case 1e4...: fixed(value / 1e3, digits: 1) + "k"
        case 100...: fixed(value, digits: 0)
        default: fixed(value, digits: value == value.rounded() ? 0 : 1)
        }
    }

    /// Bytes with a binary unit.
    static func bytes(_ count: Int) -> String {
        switch count.magnitude {
        case 1_048_576...: fixed(Double(count) / 1_048_576, digits: 1) + " MiB"
        case 10_240...: fixed(Double(count) / 1_024, digits: 1) + " KiB"
        default: "\(count) B"
        }
    }

    static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
