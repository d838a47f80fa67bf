import BrokerCore
import PusherProtocol
import TestSupport

@testable import Webhooks

/// Events and letters for tests.
enum Sample {
    static func event(_ number: UInt64, run: UInt64 = 7, json: String = "{\"name\":\"member_added\"}") -> WebhookEvent {
        WebhookEvent(
            id: WebhookEvent.ID(run: run, number: number), kind: .memberAdded, app: "app-1",
            channel: Array("presence-a".utf8), unixMilliseconds: 1_700_000_000_000 + Int64(number % 10_000),
            json: Array(json.utf8))
    }

    static func entry(_ number: UInt64, _ endpoints: [UInt64] = [1], json: String = "{\"name\":\"member_added\"}")
        -> SpoolEntry
    {
        SpoolEntry(event: event(number, json: json), endpoints: endpoints.map { WebhookEndpointID($0) })
    }

    static func letter(_ number: UInt64, _ endpoint: UInt64 = 1, at: Int64 = 1_700_000_300_000, reason: String = "500")
        -> DeadLetter
    {
        DeadLetter(
            event: event(number), endpoint: WebhookEndpointID(endpoint), unixMilliseconds: at + Int64(number),
            reason: reason)
    }

    static func randomEvent(_ number: UInt64, _ random: inout SeededRandom) -> WebhookEvent {
        WebhookEvent(
            id: WebhookEvent.ID(run: random.next(), number: number), kind: random.pick(WebhookKind.allCases),
            app: String(decoding: random.text(random.int(0...12)), as: UTF8.self),
            channel: random.text(random.int(0...20)),
            unixMilliseconds: Int64(random.int(0...1 << 53)), json: random.text(random.int(0...300)))
    }

    static func randomRecord(_ number: UInt64, _ random: inout SeededRandom) -> SpoolRecord {
        let endpoint = WebhookEndpointID(random.oneIn(2) ? random.next() : UInt64(random.int(1...3)))
        switch random.int(0...9) {
        case 0:
            let cursors = (0..<random.int(0...5)).map { _ in
                SpoolCursor(endpoint: WebhookEndpointID(UInt64(random.int(1...3))), through: UInt64(random.int(1...20)))
            }
            return .checkpoint(next: UInt64(random.int(1...500)), cursors)
        case 1: return .finished(SpoolCursor(endpoint: endpoint, through: UInt64(random.int(1...Int(number)))))
        case 2:
            return .buried(
                DeadLetter(
                    event: randomEvent(number, &random), endpoint: endpoint, unixMilliseconds: Int64(random.int(0...9)),
                    reason: String(decoding: random.text(9), as: UTF8.self)))
        case 3:
            let id = WebhookEvent.ID(run: random.next(), number: number)
            return .forgotten(SpoolLetterKey(endpoint: endpoint, event: id))
        default:
            let endpoints = (0..<random.int(1...3)).map { WebhookEndpointID(UInt64($0 + 1)) }
            return .event(SpoolEntry(event: randomEvent(number, &random), endpoints: endpoints))
        }
    }

    /// A whole segment of these, and where each begins.
    static func segment(_ number: UInt64, _ records: [SpoolRecord]) -> (bytes: [UInt8], starts: [Int]) {
        var bytes = SpoolHeader.bytes(of: number)
        var starts: [Int] = []
        for record in records {
            starts.append(bytes.count)
            precondition(record.append(to: &bytes, segment: number), "it is short enough")
        }
        return (bytes, starts)
    }
}

/// What a reader finds in a segment's bytes, given whole or in pieces.
func readSpool(
    _ bytes: [UInt8], segment: UInt64, piecesOf most: Int? = nil, _ random: SeededRandom = SeededRandom(seed: 0)
) -> [SpoolReader.Item] {
    var random = random
    let isWhole = SpoolHeader(bytes) == .segment(segment)
    let body = isWhole ? Array(bytes[SpoolFormat.headerBytes...]) : bytes
    var reader = SpoolReader(segment: segment, at: isWhole ? UInt64(SpoolFormat.headerBytes) : 0)
    var items: [SpoolReader.Item] = []
    for piece in most.map({ random.pieces(of: body, most: $0) }) ?? [body] {
        piece.withUnsafeBytes { reader.take($0, isEnd: false) { items.append($0) } }
    }
    reader.take(UnsafeRawBufferPointer(start: nil, count: 0), isEnd: true) { items.append($0) }
    return items
}

extension [SpoolReader.Item] {
    var records: [SpoolRecord] {
        compactMap { item in if case .record(let record, _, _) = item { record } else { nil } }
    }
    var damage: [SpoolDamage] {
        compactMap { item in if case .damage(let damage) = item { damage } else { nil } }
    }
}
