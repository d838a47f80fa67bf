internal import TLS

/// What a worker knows of one connection.
struct Connection {
    enum Kind: Int { case client, publisher, probe }
    enum Phase: UInt8 { case free, dialing, upgrading, greeting, subscribing, ready }

    var kind = Kind.client
    var phase = Phase.free
    /// The client's or API connection's number.
    var number = -1
    /// Subscriptions that were confirmed.
    var confirmed = 0
    /// A member's channel.
    var joined: Int?
    /// Waiting for `subscription_succeeded` of a membership job.
    var isJoining = false
    /// When it was dialed, then when its join was due.
    var since: UInt64 = 0
    var socketID: [UInt8] = []
}

/// All connections of a worker, by slot, and where its clients are.
struct Connections {
    /// What those share that speak TLS.
    let room = TLSRoom(nil)
    private var table: [Connection] = []
    /// By local index; nil while not connected.
    private var clientSlots: [UInt32?]
    private let workers: Int
    /// Everybody was told to go: an end is no loss.
    var isHangingUp = false

    init(clients: Int, workers: Int) {
        clientSlots = Array(repeating: nil, count: clients)
        self.workers = workers
    }

    var clientCount: Int { clientSlots.count }

    /// The slots of the clients that are connected.
    var connectedClients: [UInt32] { clientSlots.compactMap { $0 } }

    subscript(slot: UInt32) -> Connection {
        _read { yield table[Int(slot)] }
        _modify { yield &table[Int(slot)] }
    }

    /// The slot of a client that is ready; nil: it is not.
    func ready(_ local: Int) -> UInt32? {
        guard let slot = clientSlots[local], self[slot].phase == .ready else { return nil }
        return slot
    }

    /// Books a connection that is being made.
    mutating func add(_ slot: UInt32, _ kind: Connection.Kind, number: Int, since: UInt64) {
        while table.count <= Int(slot) { table.append(Connection()) }
        table[Int(slot)] = Connection(kind: kind, phase: .dialing, number: number, since: since)
    }

    /// The connection is there.
    mutating func open(_ slot: UInt32) {
        self[slot].phase = .upgrading
        if self[slot].kind == .client { clientSlots[self[slot].number / workers] = slot }
    }

    /// Forgets a connection and tells what it was.
    mutating func remove(_ slot: UInt32) -> Connection {
        let connection = self[slot]
        self[slot] = Connection()
        if connection.kind == .client, connection.phase != .dialing, connection.phase != .free {
            clientSlots[connection.number / workers] = nil
        }
        return connection
    }
}
