/// Unix seconds for people, without a time library.
enum UTCTime {
    /// `2012-11-16 17:49:39 UTC`. Any value within ±10^12 is shown; the year may have more than four digits.
    static func text(unixSeconds: Int) -> String {
        let second = (unixSeconds % 86_400 + 86_400) % 86_400, days = (unixSeconds - second) / 86_400
        // Days since 0000-03-01, so that the leap day ends a year; eras of 400 years repeat (Hinnant, civil_from_days).
        let shifted = days + 719_468, era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153, day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(year)-\(padded(month))-\(padded(day)) "
            + "\(padded(second / 3_600)):\(padded(second / 60 % 60)):\(padded(second % 60)) UTC"
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
