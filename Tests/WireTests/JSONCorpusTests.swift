import TestSupport
import Testing
import Wire

/// In the manner of JSONTestSuite: `y_` must be read, `n_` must be refused.
@Suite("JSON corpus (RFC 8259)") struct JSONCorpusTests {
    static let accepted: [Row<[UInt8]>] = [
        // RFC 8259 §8.2: the grammar has them, what they mean is for the reader to say.
        y("string_lone_high", #""\ud800""#), y("string_lone_low", #""\udc00""#),
        y("string_high_high", #""\ud800\ud800""#), y("string_low_high", #""\udc00\ud800""#),
        y("string_high_text", #""\ud800abcdef""#), y("string_high_escape", #""\ud800\n""#),
        y("string_high_bmp", #""\ud800\u0041""#), y("string_high_pair", #""\ud800\ud83d\ude00""#),
        y("string_pair_low", #""\ud83d\ude00\ude00""#), y("string_high_slash_u", #""\ud800\\udc00""#),
        y("object_lone_key", #"{"\ud800":"\uDFFF"}"#),
        y("array_empty", "[]"), y("array_spaces", " [ ] "), y("array_empty_string", #"[""]"#),
        y("array_mixed", "[null, 1, \"1\", {}]"), y("array_newline", "[1\n]"), y("array_nested", "[[[[]]],[]]"),
        y("object_empty", "{}"), y("object_one", #"{"a":"b"}"#), y("object_empty_key", #"{"":0}"#),
        y("object_duplicate_key", #"{"a":1,"a":2}"#), y("object_nested", #"{"a":{"b":[{"c":null}]}}"#),
        y("object_spaces", "\t{\r\n\"a\" : 1 ,\"b\"\n:2 } "), y("object_escaped_key", #"{"\u0061\"":1}"#),
        y("number_zero", "0"), y("number_minus_zero", "-0"), y("number_int", "123"), y("number_negative", "-1"),
        y("number_fraction", "0.5"), y("number_exponent", "1e1"), y("number_big_exponent", "1E+999"),
        y("number_small_exponent", "1e-05"), y("number_zero_exponent", "0e1"), y("number_all", "-12.034e-5"),
        y("number_long", String(repeating: "9", count: 400)), y("number_zero_fraction", "[0.0,-0.0]"),
        y("literal_true", "true"), y("literal_false", "false"), y("literal_null", "null"),
        y("literal_spaced", " null\n"),
        y("string_empty", #""""#), y("string_all_escapes", #""\"\\\/\b\f\n\r\t""#), y("string_u_escape", #""\u00e9""#),
        y("string_u_uppercase", #""\u00E9""#), y("string_u_nul", #""\u0000""#), y("string_pair", #""\uD83D\ude00""#),
        y("string_two_pairs", #""\uD800\uDC00\uDBFF\uDFFF""#), y("string_noncharacter", #""\uFFFF""#),
        y("string_del", "\"\u{7F}\""), y("string_utf8", "\"é€😀\""), y("string_separators", "\"\u{2028}\u{2029}\""),
        y("string_backslash_end", #""\\""#), y("string_slash", #""a/b""#), y("string_comment", #""/*x*/""#),
        y("string_eight_bytes", #""12345678""#), y("string_long", "\"" + String(repeating: "a", count: 999) + "\""),
        y("depth_16", String(repeating: "[", count: 16) + String(repeating: "]", count: 16)),
        y("depth_16_objects", String(repeating: "{\"a\":", count: 15) + "{}" + String(repeating: "}", count: 15)),
        y("wide_not_deep", "[" + String(repeating: "[],", count: 99) + "[]]"),
    ]

    static let refused: [Row<[UInt8]>] = [
        n("nothing", ""), n("only_space", " "), n("byte_order_mark", "\u{FEFF}{}"), n("nul", "\0"),
        n("two_values", "1 2"),
        n("array_trailing_comma", "[1,]"), n("array_leading_comma", "[,1]"), n("array_two_commas", "[1,,2]"),
        n("array_only_comma", "[,]"), n("array_no_comma", "[1 2]"), n("array_colon", "[\"a\":1]"), n("array_open", "["),
        n("array_open_value", "[1"), n("array_open_comma", "[1,"), n("array_extra_close", "[]]"),
        n("array_wrong_close", "[1}"), n("array_semicolon", "[1;2]"), n("array_form_feed", "[\u{0C}]"),
        n("array_vertical_tab", "[\u{0B}1]"), n("array_nbsp", "[\u{A0}1]"), n("array_star", "[*]"),
        n("object_trailing_comma", #"{"a":1,}"#), n("object_leading_comma", #"{,"a":1}"#), n("object_open", "{"),
        n("object_open_key", #"{"a""#), n("object_open_colon", #"{"a":"#), n("object_open_value", #"{"a":1"#),
        n("object_open_comma", #"{"a":1,"#), n("object_no_colon", #"{"a" 1}"#), n("object_two_colons", #"{"a"::1}"#),
        n("object_no_value", #"{"a":}"#), n("object_no_key", "{:1}"), n("object_bare_key", "{a:1}"),
        n("object_single_quotes", "{'a':1}"), n("object_number_key", "{1:1}"), n("object_null_key", "{null:1}"),
        n("object_key_only", #"{"a"}"#), n("object_comma_for_colon", #"{"a",1}"#), n("object_wrong_close", #"{"a":1]"#),
        n("object_two_commas", #"{"a":1,,"b":2}"#), n("object_comment", #"{"a":/*x*/1}"#), n("object_hash", "{}#"),
        n("object_line_comment", "{}//"), n("object_garbage_after", #"{"a":1}x"#), n("object_array_key", "{[]:1}"),
        n("number_plus", "+1"), n("number_dot_first", ".5"), n("number_dot_last", "1."), n("number_leading_zero", "01"),
        n("number_minus", "-"), n("number_minus_minus", "--1"), n("number_minus_dot", "-.5"),
        n("number_minus_zero_one", "-01"),
        n("number_exponent_empty", "1e"), n("number_exponent_sign", "1e+"), n("number_exponent_dot", "1e1.5"),
        n("number_dot_exponent", "1.e1"), n("number_hex", "0x1"), n("number_nan", "NaN"),
        n("number_infinity", "Infinity"),
        n("number_minus_infinity", "-Infinity"), n("number_underscore", "1_0"), n("number_two_dots", "1.2.3"),
        n("number_fullwidth", "１"), n("number_space", "- 1"), n("number_letter", "1a"), n("number_double_zero", "00"),
        n("literal_upper", "True"), n("literal_cut", "tru"), n("literal_long", "truee"), n("literal_null_cut", "nul"),
        n("literal_false_cut", "fals"), n("literal_undefined", "undefined"), n("literal_nul_inside", "n\0ll"),
        n("string_open", "\""), n("string_open_text", "\"abc"), n("string_open_escape", "\"\\"),
        n("string_x", #""\x41""#),
        n("string_escaped_quote_open", #""\""#), n("string_octal", #""\0""#), n("string_a", #""\a""#),
        n("string_v", #""\v""#),
        n("string_upper_u", #""\U0041""#), n("string_u_short", #""\u004""#), n("string_u_bad_digit", #""\u00g0""#),
        n("string_u_cut", "\"\\u00"), n("string_escaped_emoji", "\"\\😀\""), n("string_escaped_newline", "\"\\\n\""),
        n("string_newline", "\"a\nb\""), n("string_tab", "\"a\tb\""), n("string_nul", "\"a\0b\""),
        n("string_unit_separator", "\"a\u{1F}b\""), n("string_control_ninth", "\"12345678\u{01}\""),
        n("string_single", "'a'"),
        n("string_high_cut", "\"\\ud800\\u"), n("string_high_end", "\"\\ud800"),
        n("string_high_bad_escape", #""\ud800\x""#), n("string_high_bad_digit", #""\ud800\udc0g""#),
        n("string_high_short", #""\ud800\udc0""#), n("string_low_bad_digit", #""\udc0g""#),
        n("depth_17", String(repeating: "[", count: 17) + String(repeating: "]", count: 17)),
        n("depth_17_objects", String(repeating: "{\"a\":", count: 16) + "{}" + String(repeating: "}", count: 16)),
        n("depth_100000", String(repeating: "[", count: 100_000)),
        n("depth_100000_objects", String(repeating: "{\"\":", count: 100_000)),
        Row("n_string_bad_utf8", [0x22, 0xFF, 0x22]), Row("n_string_overlong", [0x22, 0xC0, 0xAF, 0x22]),
        Row("n_string_surrogate", [0x22, 0xED, 0xA0, 0x80, 0x22]), Row("n_string_cut_utf8", [0x22, 0xE2, 0x82, 0x22]),
        Row("n_string_cut_utf8_at_end", [0x22, 0xF0, 0x9F, 0x98]), Row("n_string_latin1", [0x22, 0xE9, 0x22]),
        Row("n_bad_utf8_key", [0x7B, 0x22, 0x80, 0x22, 0x3A, 0x31, 0x7D]), Row("n_utf16", [0xFF, 0xFE, 0x31, 0x00]),
        Row("n_bad_utf8_outside", [0x5B, 0xE5, 0x5D]), Row("n_too_large_scalar", [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22]),
    ]

    @Test(arguments: accepted) func readsWhatIsJSON(_ row: Row<[UInt8]>) throws {
        var cursor = JSONCursor()
        let value = try cursor.value(row.value.span)
        try cursor.finish(row.value.span)
        #expect(value.range.upperBound <= row.value.count)
    }

    @Test(arguments: refused) func refusesWhatIsNot(_ row: Row<[UInt8]>) {
        #expect(throws: JSONError.self) {
            var cursor = JSONCursor()
            _ = try cursor.value(row.value.span)
            try cursor.finish(row.value.span)
        }
    }

    /// A text cut short is refused, unless only white space was cut off or a number became a shorter one.
    @Test(arguments: accepted) func aCutTextIsRefused(_ row: Row<[UInt8]>) throws {
        var cursor = JSONCursor()
        let whole = try cursor.value(row.value.span)
        for count in 0..<whole.range.upperBound where whole.kind != .number {
            let cut = Array(row.value[..<count])
            #expect(throws: JSONError.self, "cut at \(count)") {
                var cursor = JSONCursor()
                _ = try cursor.value(cut.span)
            }
        }
    }

    private static func y(_ name: String, _ text: String) -> Row<[UInt8]> { Row("y_" + name, Array(text.utf8)) }
    private static func n(_ name: String, _ text: String) -> Row<[UInt8]> { Row("n_" + name, Array(text.utf8)) }
}
