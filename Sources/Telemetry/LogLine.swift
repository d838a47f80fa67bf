internal import Glibc

/// The text of one log line: `time level "message" key=value key="value with spaces"\n`.
enum LogLine {
    /// One line, newline included: what a pipe takes in one piece.
    static let bytesMax = 4_096
    /// One field's value before escaping; the rest is replaced by `…`.
    static let fieldBytesMax = 512

    static func append(
        _ level: LogLevel, _ message: StaticString, _ fields: [LogField], dropped: UInt64, at wall: timespec,
        to line: inout [UInt8]
    ) {
        appendTime(wall, to: &line)
        line.append(contentsOf: " \(level.name) ".utf8)
        appendValue(message.description, alwaysQuoted: true, to: &line)
        for field in fields { append(field.name.description, field.value.description, to: &line) }
        if dropped > 0 { append("dropped_lines", String(dropped), to: &line) }
        line.append(0x0A)
    }

    /// A field that would not fit is left out whole, so that a line is never cut inside a quoted value.
    private static func append(_ name: String, _ value: String, to line: inout [UInt8]) {
        let start = line.count
        line.append(0x20)
        line.append(contentsOf: name.utf8)
        line.append(0x3D)
        appendValue(value, alwaysQuoted: false, to: &line)
        if line.count + 1 > bytesMax { line.removeSubrange(start...) }
    }

    private static func appendValue(_ value: String, alwaysQuoted: Bool, to line: inout [UInt8]) {
        let isPlain = value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x5C && $0 < 0x7F }
        if !alwaysQuoted && isPlain && !value.isEmpty && value.utf8.count <= fieldBytesMax {
            line.append(contentsOf: value.utf8)
            return
        }
        line.append(0x22)
        var bytesLeft = fieldBytesMax
        for scalar in value.unicodeScalars {
            bytesLeft -= UTF8.width(scalar)
            guard bytesLeft >= 0 else {
                line.append(contentsOf: "…".utf8)
                break
            }
            appendScalar(scalar, to: &line)
        }
        line.append(0x22)
    }

    /// C0, DEL and C1 controls and the Unicode line breaks are escaped: a peer's text can neither start a line nor drive a terminal.
    private static func appendScalar(_ scalar: Unicode.Scalar, to line: inout [UInt8]) {
        switch scalar.value {
        case 0x22, 0x5C:
            line.append(0x5C)
            line.append(UInt8(truncatingIfNeeded: scalar.value))
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069:
            line.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".utf8)
        default:
            line.append(contentsOf: String(scalar).utf8)
        }
    }

    private static func appendTime(_ wall: timespec, to line: inout [UInt8]) {
        var seconds = wall.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        appendNumber(Int(parts.tm_year) + 1_900, digits: 4, to: &line)
        line.append(0x2D)
        appendNumber(Int(parts.tm_mon) + 1, digits: 2, to: &line)
        line.append(0x2D)
        appendNumber(Int(parts.tm_mday), digits: 2, to: &line)
        line.append(0x54)
        appendNumber(Int(parts.tm_hour), digits: 2, to: &line)
        line.append(0x3A)
        appendNumber(Int(parts.tm_min), digits: 2, to: &line)
        line.append(0x3A)
        appendNumber(Int(parts.tm_sec), digits: 2, to: &line)
        line.append(0x2E)
        appendNumber(Int(wall.tv_nsec) / 1_000_000, digits: 3, to: &line)
        line.append(0x5A)
    }

    private static func appendNumber(_ number: Int, digits: Int, to line: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            line.append(0x30 + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}
