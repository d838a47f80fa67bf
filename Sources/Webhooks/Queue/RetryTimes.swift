/// When a request that failed is tried again (PW-175): after 1, 2, 4 … s, a minute at most, never before the receiver asked for it.
enum RetryTimes {
    static let longestMilliseconds: UInt64 = 60_000
    private static let firstMilliseconds: UInt64 = 1_000

    /// - Parameters:
    ///   - failures: of this request so far; 1...
    ///   - retryAfterSeconds: what the answer said, counted up to a minute.
    ///   - jitter: random; makes up to a tenth more, so that many endpoints on one host are not called together.
    static func delayMilliseconds(failures: Int, retryAfterSeconds: Int?, jitter: UInt64) -> UInt64 {
        let delay = min(longestMilliseconds, firstMilliseconds << UInt64(min(max(failures, 1) - 1, 6)))
        return max(delay + jitter % (delay / 10 + 1), askedMilliseconds(retryAfterSeconds))
    }

    /// How long a receiver may hold us off.
    static func askedMilliseconds(_ retryAfterSeconds: Int?) -> UInt64 {
        min(longestMilliseconds, UInt64(max(0, min(retryAfterSeconds ?? 0, 3_600))) * 1_000)
    }
}
