/// Writes the text format that Prometheus scrapes, version 0.0.4: values in, bytes out.
///
///     # HELP starling_connections WebSocket connections that are open now
///     # TYPE starling_connections gauge
///     starling_connections{app_id="shop"} 3
///
/// Families are begun one after the other, and all samples of a family follow its beginning. No float is formatted: times are written from
/// whole nanoseconds.
public struct Exposition {
    /// `Content-Type` of the page.
    public static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    /// A sample's value.
    public enum Value: Sendable, Equatable {
        case count(UInt64)
        case number(Int)
        /// Written as seconds.
        case nanoseconds(UInt64)
    }

    public typealias Label = (name: StaticString, value: String)

    /// The page so far.
    public private(set) var bytes: [UInt8] = []
    /// Of the family that was begun last.
    private var name: [UInt8] = []

    public init() {}

    /// Begins a family; `prefix` stands before its name.
    public mutating func begin(_ metric: Metric, prefix: String = "") {
        name = Array((prefix + metric.rawValue).utf8)
        let family = metric.family
        line("# HELP ", family.help)
        line("# TYPE ", family.kind.rawValue)
    }

    private mutating func line(_ start: StaticString, _ text: String) {
        append(start)
        bytes += name
        bytes.append(UInt8(ascii: " "))
        // Of a help text only these two are escaped.
        appendEscaped(text, escapesQuotes: false)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// One sample of the family.
    public mutating func sample(_ value: Value, _ labels: Label...) { sample(value, labels) }

    /// The same with labels in a list.
    public mutating func sample(_ value: Value, _ labels: [Label], suffix: StaticString = "") {
        bytes += name
        append(suffix)
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            for (index, label) in labels.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(label.name)
                bytes += [UInt8(ascii: "="), UInt8(ascii: "\"")]
                appendEscaped(label.value, escapesQuotes: true)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        bytes += Self.text(value).utf8
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A histogram of the family: its buckets, sum and count.
    /// - Parameter step: classes that become one bucket.
    public mutating func histogram(_ durations: DurationHistogram, _ labels: [Label] = [], step: Int = 1) {
        var below: UInt64 = 0
        for place in 0..<DurationHistogram.classCount {
            below &+= durations[place]
            guard let bound = DurationHistogram.boundNanoseconds(of: place) else { break }
            guard place % step == step - 1 else { continue }
            sample(.count(below), labels + [("le", Self.text(.nanoseconds(bound)))], suffix: "_bucket")
        }
        sample(.count(below), labels + [("le", "+Inf")], suffix: "_bucket")
        sample(.nanoseconds(durations.nanosecondsTotal), labels, suffix: "_sum")
        sample(.count(below), labels, suffix: "_count")
    }

    /// A value as it is written.
    static func text(_ value: Value) -> String {
        switch value {
        case .count(let count): return String(count)
        case .number(let number): return String(number)
        case .nanoseconds(let nanoseconds):
            let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
            guard rest > 0 else { return String(seconds) }
            var digits = String(rest)
            digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
            while digits.hasSuffix("0") { digits.removeLast() }
            return "\(seconds).\(digits)"
        }
    }

    private mutating func append(_ text: StaticString) {
        bytes += UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private mutating func appendEscaped(_ text: String, escapesQuotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += [byte, byte]
            case UInt8(ascii: "\n"): bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case UInt8(ascii: "\"") where escapesQuotes: bytes += [UInt8(ascii: "\\"), byte]
            default: bytes.append(byte)
            }
        }
    }
}
