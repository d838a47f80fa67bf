extension HTTPDate {
    /// Reads a date in any of the three forms that HTTP has had (RFC 9110 §5.6.7), and is not strict about what separates their parts.
    ///
    ///     Sun, 06 Nov 1994 08:49:37 GMT      Sunday, 06-Nov-94 08:49:37 GMT      Sun Nov  6 08:49:37 1994
    ///
    /// - Parameter now: Unix seconds: a year of two digits is the one that is at most fifty years after it.
    /// - Returns: Unix seconds; nil when it is none of them.
    public static func unixSeconds(of text: some Collection<UInt8>, now: Int) -> Int? {
        let words = Array(text.prefix(64)).split { !isAlphanumeric($0) }
        guard (7...8).contains(words.count), words[0].allSatisfy({ !isDigit($0) }) else { return nil }
        let isOldest = monthNumber(words[1]) != nil
        let (dayWord, monthWord) = isOldest ? (words[2], words[1]) : (words[1], words[2])
        let clock = isOldest ? words[3..<6] : words[4..<7]
        let yearWord = isOldest ? words[6] : words[3]
        guard let day = number(dayWord, digitsMax: 2), let month = monthNumber(monthWord),
            let year = number(yearWord, digitsMax: 4), yearWord.count == 2 || yearWord.count == 4
        else { return nil }
        let times = clock.compactMap { number($0, digitsMax: 2) }
        // 60 is a leap second.
        guard times.count == 3, times[0] < 24, times[1] < 60, times[2] <= 60, day >= 1, day <= 31 else { return nil }
        let second = times[0] * 3_600 + times[1] * 60 + min(times[2], 59)
        guard yearWord.count == 2 else {
            return CivilTime.unixSeconds(year: year, month: month, day: day, secondOfDay: second)
        }
        let thisYear = CivilTime(unixSeconds: now).year
        let inCentury = thisYear - thisYear % 100 + year
        return CivilTime.unixSeconds(
            year: inCentury > thisYear + 50 ? inCentury - 100 : inCentury, month: month, day: day, secondOfDay: second)
    }

    private static func monthNumber(_ word: ArraySlice<UInt8>) -> Int? {
        let names = "janfebmaraprmayjunjulaugsepoctnovdec".utf8
        let word = word.map { $0 | 0x20 }
        guard word.count == 3 else { return nil }
        return (1...12).first { month in names.dropFirst(3 * (month - 1)).prefix(3).elementsEqual(word) }
    }

    private static func number(_ word: ArraySlice<UInt8>, digitsMax: Int) -> Int? {
        guard (1...digitsMax).contains(word.count), word.allSatisfy(isDigit) else { return nil }
        return word.reduce(0) { $0 * 10 + Int($1 - Byte.zero) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7A).contains(byte | 0x20)
    }
}

/// When a server wants to be asked again (RFC 9110 §10.2.3).
public enum RetryAfter {
    /// Nobody waits longer for one that says more.
    public static let secondsMax = 3_600

    /// - Parameters:
    ///   - value: a number of seconds, or a date.
    ///   - now: Unix seconds.
    /// - Returns: 0...3600; nil when it is neither.
    public static func seconds(_ value: some Collection<UInt8>, now: Int) -> Int? {
        if !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }) {
            return value.reduce(0) { min(secondsMax, $0 * 10 + Int($1 - Byte.zero)) }
        }
        return HTTPDate.unixSeconds(of: value, now: now).map { min(max(0, $0 - now), secondsMax) }
    }
}
