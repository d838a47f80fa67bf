import BrokerCore
import Testing

@testable import Configuration

@Suite("What a connection may owe") struct BacklogNeedTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String, subscriptions: Int, expected: Int
        var change: @Sendable (inout ServerSettings, inout AppLimits) -> Void = { _, _ in }
    }

    /// Ten events of 10,240 bytes, each six on the wire, and the names beside them; twice.
    private static let two = 2 * (10 * 6 * 10_240 + 10 * (12 * 200 + 6 * 200 + 64))

    static let rows = [
        Row(testDescription: "one channel", subscriptions: 1, expected: two),
        Row(testDescription: "no channel counts as one", subscriptions: 0, expected: two),
        Row(testDescription: "seven channels", subscriptions: 7, expected: 7 * two),
        Row(testDescription: "more channels than one request reaches", subscriptions: 5_000, expected: 100 * two),
        Row(testDescription: "a higher limit holds", subscriptions: 1, expected: 9_000_000) { settings, _ in
            settings.backlogBytesMax = 9_000_000
        },
        Row(testDescription: "the body bounds what the events may be", subscriptions: 1, expected: 2_097_152) {
            settings, limits in
            (settings.backlogBytesMax, settings.requestBodyBytesMax) = (4_096, 524_288)
            (limits.eventDataBytesMax, limits.eventNameCharactersMax, limits.channelNameBytesMax) = (1 << 20, 0, 0)
            limits.batchEventsMax = 1
        },
    ]

    @Test(arguments: rows) func isNeverLessThanTwoRequests(_ row: Row) {
        var (settings, limits) = (ServerSettings(), AppLimits())
        row.change(&settings, &limits)
        let names = limits.eventNameCharactersMax == 0 ? 2 * 64 : 0
        #expect(settings.backlogBytes(limits, subscriptions: row.subscriptions) == row.expected + names)
    }

    @Test func aLimitThatDoesNotHoldIsWarnedOf() {
        let app = #""apps": [{"id": "a", "key": "k", "secret": "s"}], "host": "localhost""#
        #expect(
            load(file: "{\"backlogBytes\": 65536, \(app)}").lines == [
                "config.json:1:18: warning: backlogBytes: two of the largest requests that apps[0] allows send \(Self.two) bytes to a "
                    + "subscriber, so that holds instead of 65536"
            ])
        #expect(load(file: "{\"backlogBytes\": 2000000, \(app)}").lines == [])
        #expect(load(file: "{\(app)}").lines == [], "what nobody set is not warned of")
    }
}
