/// A Unix time in the calendar of UTC, without a time library.
public struct CivilTime: Equatable, Sendable {
    /// May be negative or have more than four digits.
    public let year: Int
    /// 1...12 and 1...31.
    public let month: Int, day: Int
    /// 0 is Sunday.
    public let weekday: Int
    /// 0...86,399.
    public let secondOfDay: Int

    /// `unixSeconds` within ±10^12.
    public init(unixSeconds: Int) {
        let second = (unixSeconds % 86_400 + 86_400) % 86_400, days = (unixSeconds - second) / 86_400
        // Days since 0000-03-01, so that the leap day ends a year; eras of 400 years repeat (Hinnant, civil_from_days).
        let shifted = days + 719_468, era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        secondOfDay = second
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        // The first of January 1970 was a Thursday.
        weekday = ((days + 4) % 7 + 7) % 7
    }

    /// The Unix time of a day's second. A day that its month does not have is one of the next month.
    static func unixSeconds(year: Int, month: Int, day: Int, secondOfDay: Int) -> Int {
        // As above, the other way round (Hinnant, days_from_civil); years before 0 are nobody's.
        let shifted = month <= 2 ? year - 1 : year, era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return days * 86_400 + secondOfDay
    }
}
