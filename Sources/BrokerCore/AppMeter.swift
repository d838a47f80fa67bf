/// What one app has done on one loop since it started. Plain numbers of the loop's thread; whoever sums the loops has each of them copy its
/// own.
///
/// Large, because it has a number for each thing that is counted.
public struct AppMeter: Sendable, Equatable {
    /// Connections let in, and ended.
    public var (opened, closed): (UInt64, UInt64) = (0, 0)
    /// Events that were admitted, one for each of their channels.
    public var (apiEvents, batchEvents, clientEvents): (UInt64, UInt64, UInt64) = (0, 0, 0)
    /// Messages of channels given to connections, and their bytes on the wire.
    public var (deliveries, deliveryBytes): (UInt64, UInt64) = (0, 0)
    /// Messages to single connections, and their bytes on the wire.
    public var (answers, answerBytes): (UInt64, UInt64) = (0, 0)
    /// WebSocket messages of clients.
    public var (messages, messageBytes): (UInt64, UInt64) = (0, 0)
    /// Signed HTTP requests, with their heads.
    public var (requests, requestBytes, responseBytes): (UInt64, UInt64, UInt64) = (0, 0, 0)

    public init() {}

    /// Adds what another loop, or another app, has done.
    public static func += (sum: inout AppMeter, other: AppMeter) {
        sum.opened &+= other.opened
        sum.closed &+= other.closed
        sum.apiEvents &+= other.apiEvents
        sum.batchEvents &+= other.batchEvents
        sum.clientEvents &+= other.clientEvents
        sum.deliveries &+= other.deliveries
        sum.deliveryBytes &+= other.deliveryBytes
        sum.answers &+= other.answers
        sum.answerBytes &+= other.answerBytes
        sum.messages &+= other.messages
        sum.messageBytes &+= other.messageBytes
        sum.requests &+= other.requests
        sum.requestBytes &+= other.requestBytes
        sum.responseBytes &+= other.responseBytes
    }
}

/// The meters of one loop's apps, by number. Touched by its loop only.
///
/// A row is made when the app first does something here, stays where it is, and lives as long as the loop's broker: so that a session keeps
/// its address, and to count is a load, an addition and a store.
struct AppMeters: ~Copyable {
    private var rows = UnsafeMutableBufferPointer<UnsafeMutablePointer<AppMeter>?>.allocate(capacity: 0)

    deinit {
        for row in rows { row?.deallocate() }
        rows.deallocate()
    }

    @inline(__always)
    mutating func row(_ app: Int) -> UnsafeMutablePointer<AppMeter> {
        if app < rows.count, let row = rows[app] { return row }
        return make(app)
    }

    @inline(never)
    private mutating func make(_ app: Int) -> UnsafeMutablePointer<AppMeter> {
        if app >= rows.count {
            let grown = UnsafeMutableBufferPointer<UnsafeMutablePointer<AppMeter>?>.allocate(
                capacity: max(8, app + 1, rows.count * 2))
            for place in grown.indices {
                grown.initializeElement(at: place, to: place < rows.count ? rows[place] : nil)
            }
            rows.deallocate()
            rows = grown
        }
        let row = UnsafeMutablePointer<AppMeter>.allocate(capacity: 1)
        row.initialize(to: AppMeter())
        rows[app] = row
        return row
    }

    /// The numbers of the apps below `count`, one by one, and of the others together.
    func copy(upTo count: Int) -> (apps: [AppMeter], others: AppMeter) {
        var (apps, others) = ([AppMeter](), AppMeter())
        for (app, row) in rows.enumerated() {
            if app < count { apps.append(row?.pointee ?? AppMeter()) } else if let row { others += row.pointee }
        }
        return (apps, others)
    }
}
