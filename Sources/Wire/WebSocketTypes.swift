/// What a frame is (RFC 6455 §5.2); the values left out are reserved.
public enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10

    /// Control frames are never fragmented and carry at most 125 bytes. (§5.5)
    public var isControl: Bool { rawValue >= 8 }
}

/// What a peer may send at most.
public struct WebSocketLimits: Sendable {
    /// Payload bytes of one message, over all its fragments.
    public var messageBytesMax: Int
    /// Frames of one message.
    public var fragmentsMax: Int
    /// Whether a binary message has to be UTF-8 text, and is refused with 1003 when it is not.
    public var binaryMustBeText: Bool

    /// The limits for a connection; the defaults suit a broker of text messages.
    public init(messageBytesMax: Int = 65_536, fragmentsMax: Int = 1_024, binaryMustBeText: Bool = true) {
        self.messageBytesMax = messageBytesMax
        self.fragmentsMax = fragmentsMax
        self.binaryMustBeText = binaryMustBeText
    }

    /// `messageBytesMax` within bounds that no sum with a header or another message can overflow.
    @inline(__always)
    var messageBytesBound: Int { min(max(messageBytesMax, 0), 1 << 40) }
}

/// Why a peer's frames end the connection.
public enum WebSocketFailure: Error, Equatable, Sendable, CaseIterable {
    case reservedBits, reservedOpcode, unmasked, fragmentedControl, controlTooLong, nonMinimalLength, lengthOutOfRange
    case unexpectedContinuation, expectedContinuation, shortClosePayload, invalidCloseCode
    case messageTooBig, tooManyFragments, invalidUTF8, notText

    /// The status code for the close frame. (§7.4.1)
    public var closeCode: UInt16 {
        switch self {
        case .messageTooBig, .tooManyFragments: 1009
        case .invalidUTF8: 1007
        case .notText: 1003
        default: 1002
        }
    }

    /// The reason for the close frame: fixed, ASCII, at most 123 bytes.
    public var text: String {
        switch self {
        case .reservedBits: "Reserved bits are set, but no extension was negotiated"
        case .reservedOpcode: "The opcode is reserved"
        case .unmasked: "Client frames must be masked"
        case .fragmentedControl: "Control frames must not be fragmented"
        case .controlTooLong: "Control frames carry at most 125 bytes"
        case .nonMinimalLength: "The payload length is not in its shortest form"
        case .lengthOutOfRange: "The payload length is out of range"
        case .unexpectedContinuation: "Continuation frame without a started message"
        case .expectedContinuation: "A new message started before the last one ended"
        case .shortClosePayload: "A close payload is empty or starts with a two-byte code"
        case .invalidCloseCode: "The close code must not be sent"
        case .messageTooBig: "The message is too big"
        case .tooManyFragments: "The message has too many fragments"
        case .invalidUTF8: "The text is not valid UTF-8"
        case .notText: "Binary messages must be UTF-8 text"
        }
    }
}
