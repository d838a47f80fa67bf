internal import Wire

/// The attributes a caller asks for with `info` (Pusher protocol §6.5, §6.7).
public struct ChannelInfo: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let userCount = ChannelInfo(rawValue: 1)
    public static let subscriptionCount = ChannelInfo(rawValue: 2)
    public static let cache = ChannelInfo(rawValue: 4)

    /// Reads a comma list; spaces around a name are ignored, and so is an empty text. Throws 400 for a name not in `allowed` (PW-148).
    static func parse(_ text: Span<UInt8>, allowed: ChannelInfo, label: String) throws(APIError) -> ChannelInfo {
        var info: ChannelInfo = [], start = 0
        while start <= text.count {
            var end = start
            while end < text.count, text[end] != UInt8(ascii: ",") { end += 1 }
            var word = start..<end
            while !word.isEmpty, text[word.lowerBound] == 0x20 { word = word.lowerBound + 1..<word.upperBound }
            while !word.isEmpty, text[word.upperBound - 1] == 0x20 { word = word.lowerBound..<word.upperBound - 1 }
            start = end + 1
            guard !word.isEmpty else { continue }
            let name = text.extracting(word)
            let attribute: ChannelInfo =
                if name.equals("user_count") { .userCount } else if name.equals("subscription_count") {
                    .subscriptionCount
                } else if name.equals("cache") { .cache } else { [] }
            guard !attribute.isEmpty, allowed.contains(attribute) else {
                let known = "user_count, subscription_count" + (allowed.contains(.cache) ? ", cache" : "")
                throw .invalid("\(label): unknown attribute '\(name.excerpt(bytesMax: 64))'; known are \(known)")
            }
            info.insert(attribute)
        }
        return info
    }
}
