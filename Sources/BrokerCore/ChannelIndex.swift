/// A channel's number in the table of one loop and app (`ChannelTable`). Used again when the channel is gone; a `LocalChannelID`
/// has the generation that tells the two apart.
struct ChannelIndex: Hashable, Sendable {
    let number: UInt32

    init(_ number: UInt32) { self.number = number }
}
