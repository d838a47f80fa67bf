internal import Glibc

/// How a line is written; the raw value stands in the configuration.
public enum LogFormat: String, Sendable, CaseIterable {
    /// logfmt.
    case text
    /// One JSON object (RFC 8259) with the same members in the same order.
    case json
}

/// The text of one log line, in logfmt: `time=… level=info msg="two words" key=value\n`.
///
///     line  = pair *(" " pair) "\n"
///     pair  = key "=" value            key: a-z and "_", from the program text
///     value = word / quoted            word: visible ASCII without `"`, `=` and `\`, not empty
///     quoted: as a JSON string: `\"`, `\\`, `\n`, `\r`, `\t`, `\u00XX`; other UTF-8 stands for itself
///
/// or as JSON: `{"time":"…","level":"info","msg":"two words","key":"value","count":7}\n`; whole numbers are numbers.
enum LogLine {
    /// One line, newline included: what a pipe takes in one piece.
    static let bytesMax = 4_096
    /// One field's value before escaping; the rest is replaced by `…`.
    static let fieldBytesMax = 2_048
    /// Kept for `dropped_lines`, the closing quote and the newline.
    private static let tailBytes = 48

    static func append(
        _ level: LogLevel, _ message: StaticString, _ fields: [LogField], dropped: UInt64, at wall: timespec,
        as format: LogFormat = .text, to line: inout [UInt8]
    ) {
        switch format {
        case .text: line.append(contentsOf: "time=".utf8)
        case .json: line.append(contentsOf: "{\"time\":\"".utf8)
        }
        appendTime(wall, to: &line)
        if format == .json { line.append(0x22) }
        append("level", level.rawValue, as: format, to: &line)
        append("msg", message.description, as: format, to: &line)
        for field in fields {
            let isNumber = field.value is any FixedWidthInteger
            append(field.name.description, field.value.description, isNumber: isNumber, as: format, to: &line)
        }
        if dropped > 0 { append("dropped_lines", String(dropped), isNumber: true, reserving: 0, as: format, to: &line) }
        if format == .json { line.append(0x7D) }
        line.append(0x0A)
    }

    /// A value is cut where the line would become too long, and a field without room for anything is left out whole.
    private static func append(
        _ name: String, _ value: String, isNumber: Bool = false, reserving tail: Int = tailBytes, as format: LogFormat,
        to line: inout [UInt8]
    ) {
        let (start, end) = (line.count, bytesMax - tail)
        switch format {
        case .text:
            line.append(0x20)
            line.append(contentsOf: name.utf8)
            line.append(0x3D)
        case .json:
            line.append(0x2C)
            line.append(0x22)
            line.append(contentsOf: name.utf8)
            line.append(0x22)
            line.append(0x3A)
        }
        if format == .text ? isWord(value) : isNumber, line.count + value.utf8.count < end {
            line.append(contentsOf: value.utf8)
        } else if line.count + 2 + escapeBytesMax + cut.utf8.count < end {
            appendQuoted(value, end: end, to: &line)
        } else {
            line.removeSubrange(start...)
        }
    }

    private static func isWord(_ value: String) -> Bool {
        let isPlain = value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x5C && $0 < 0x7F }
        return isPlain && !value.isEmpty && value.utf8.count <= fieldBytesMax
    }

    /// What stands for the rest of a value that was cut.
    private static let cut = "…"
    private static let escapeBytesMax = 6

    private static func appendQuoted(_ value: String, end: Int, to line: inout [UInt8]) {
        line.append(0x22)
        var bytesLeft = fieldBytesMax
        for scalar in value.unicodeScalars {
            bytesLeft -= UTF8.width(scalar)
            guard bytesLeft >= 0, line.count + escapeBytesMax + cut.utf8.count + 1 < end else {
                line.append(contentsOf: cut.utf8)
                break
            }
            appendScalar(scalar, to: &line)
        }
        line.append(0x22)
    }

    /// Controls, Unicode line breaks and what changes the direction of text are escaped: a peer's text can neither start a line nor
    /// drive a terminal.
    private static func appendScalar(_ scalar: Unicode.Scalar, to line: inout [UInt8]) {
        switch scalar.value {
        case 0x22, 0x5C: line += [0x5C, UInt8(truncatingIfNeeded: scalar.value)]
        case 0x0A: line.append(contentsOf: "\\n".utf8)
        case 0x0D: line.append(contentsOf: "\\r".utf8)
        case 0x09: line.append(contentsOf: "\\t".utf8)
        case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB:
            let digits = String(scalar.value, radix: 16)
            line.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
        default: line.append(contentsOf: String(scalar).utf8)
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
