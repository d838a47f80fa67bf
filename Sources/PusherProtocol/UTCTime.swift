internal import Wire

/// Unix seconds for people, without a time library.
enum UTCTime {
    /// `2012-11-16 17:49:39 UTC`. Any value within ±10^12 is shown; the year may have more than four digits.
    static func text(unixSeconds: Int) -> String {
        let time = CivilTime(unixSeconds: unixSeconds), second = time.secondOfDay
        return "\(time.year)-\(padded(time.month))-\(padded(time.day)) "
            + "\(padded(second / 3_600)):\(padded(second / 60 % 60)):\(padded(second % 60)) UTC"
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
