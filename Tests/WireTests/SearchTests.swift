import Testing
import Wire

@Suite("A text within a text") struct SearchTests {
    static let rows: [(text: String, wanted: String, offset: Int?)] = [
        ("https://host", "://", 5), ("://", "://", 0), ("a:/://b", "://", 3), ("::://", "://", 2),
        ("https:/", "://", nil),
        ("", "x", nil), ("x", "", nil), ("ab", "abc", nil), ("żółw://", "://", 7), ("aab", "ab", 1),
    ]

    @Test(arguments: rows) func isFoundWhereItBeginsFirst(text: String, wanted: String, offset: Int?) {
        for place in [text.firstPlace(of: wanted), text[...].firstPlace(of: wanted)] {
            #expect(place.map { text.utf8.distance(from: text.startIndex, to: $0.lowerBound) } == offset)
            if let place { #expect(text[place] == wanted) }
        }
        #expect(text.holds(wanted) == (offset != nil))
    }
}
