internal import BrokerCore

/// What the owner asks of the spool; cursors travel beside it (`SpoolInbox`).
enum SpoolOperation: Sendable {
    case append(SpoolEntry)
    case bury(DeadLetter)
    case forget(SpoolLetterKey)

    /// What it counts in the inbox.
    var keptBytes: Int {
        switch self {
        case .append(let entry): entry.event.keptBytes + entry.endpoints.count * 8
        case .bury(let letter): letter.keptBytes
        case .forget: 32
        }
    }
}

/// What one turn of the writer has to do.
struct SpoolOrders: Sendable {
    var operations: [SpoolOperation] = []
    var cursors: [WebhookEndpointID: UInt64] = [:]
    /// The highest number of an event that was given, also of one for which there was no room.
    var highest: UInt64 = 0
    /// Events, and letters, for which there was no room.
    var eventsRefused = 0
    var lettersRefused = 0
    /// There will be no more.
    var isLast = false

    var isEmpty: Bool { operations.isEmpty && cursors.isEmpty && eventsRefused + lettersRefused == 0 && !isLast }
}
