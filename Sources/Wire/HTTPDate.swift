/// The `Date` line of answers (RFC 9110 §6.6.1), in the form `Sun, 06 Nov 1994 08:49:37 GMT`; written anew only when the
/// second has changed. Not for two threads.
public struct HTTPDate: Sendable {
    private static let weekdays: StaticString = "SunMonTueWedThuFriSat"
    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
    /// The form has four digits for the year.
    private static let latest = 253_402_300_799

    private var unixSeconds: Int
    private var line = InlineArray<37, UInt8>(repeating: 0)

    /// The line of a second.
    public init(unixSeconds: Int) {
        self.unixSeconds = unixSeconds
        write()
    }

    /// Makes it the line of another second; times before 1970 and after 9999 are shown as the nearest that has a form.
    public mutating func set(unixSeconds: Int) {
        guard unixSeconds != self.unixSeconds else { return }
        self.unixSeconds = unixSeconds
        write()
    }

    /// Writes the line with its CR LF.
    func write(to pen: inout JSONWriter) { pen.write(bytes: line.span) }

    /// Appends the line with its CR LF.
    public func append(to out: inout [UInt8]) { out.append(bytes: line.span) }

    private mutating func write() {
        let time = CivilTime(unixSeconds: min(max(0, unixSeconds), Self.latest))
        put("Date: ", at: 0)
        put(number: time.weekday, of: Self.weekdays, at: 6)
        put(", ", at: 9)
        put(time.day, at: 11)
        put(" ", at: 13)
        put(number: time.month - 1, of: Self.months, at: 14)
        put(" ", at: 17)
        put(time.year / 100, at: 18)
        put(time.year % 100, at: 20)
        put(" ", at: 22)
        put(time.secondOfDay / 3_600, at: 23)
        put(":", at: 25)
        put(time.secondOfDay / 60 % 60, at: 26)
        put(":", at: 28)
        put(time.secondOfDay % 60, at: 29)
        put(" GMT\r\n", at: 31)
    }

    private mutating func put(_ text: StaticString, at start: Int) {
        for index in 0..<text.utf8CodeUnitCount { line[start + index] = text.utf8Start[index] }
    }

    /// One of names that have three letters each.
    private mutating func put(number: Int, of names: StaticString, at start: Int) {
        for index in 0..<3 { line[start + index] = names.utf8Start[3 * number + index] }
    }

    /// Two digits.
    private mutating func put(_ number: Int, at start: Int) {
        line[start] = Byte.zero + UInt8(number / 10)
        line[start + 1] = Byte.zero + UInt8(number % 10)
    }
}
