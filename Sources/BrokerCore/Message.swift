/// The text of one message to connections, with bytes before it that are not the broker's: whoever sends it writes there what its
/// transport wants before a message, so that both go out as one piece.
///
/// ```
/// bytes  | headroom | JSON text |
/// ```
public struct Message {
    /// Headroom and text; for as long as its giver says.
    public let bytes: UnsafeMutableRawBufferPointer
    /// As the owner of `SharedBroker` wished.
    public let headroomBytes: Int

    init(bytes: UnsafeMutableRawBufferPointer, headroomBytes: Int) {
        (self.bytes, self.headroomBytes) = (bytes, headroomBytes)
    }

    /// One JSON object.
    public var json: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[headroomBytes...])
    }
}
