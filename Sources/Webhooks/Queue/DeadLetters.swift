internal import BrokerCore

/// What endpoints did not take in time, oldest first, kept for people: in number and bytes bounded, the oldest is forgotten.
struct DeadLetters {
    struct Name: Hashable {
        var endpoint: WebhookEndpointID
        var event: WebhookEvent.ID
    }

    let countMax: Int
    let bytesMax: Int
    private var letters: [Name: DeadLetter] = [:]
    /// In the order of their coming; names that are gone are passed over.
    private var order: [(name: Name, serial: UInt64)] = []
    private var serials: [Name: UInt64] = [:]
    private var nextSerial: UInt64 = 0
    private var firstInOrder = 0
    private(set) var bytes = 0
    private(set) var perEndpoint: [WebhookEndpointID: Int] = [:]

    init(countMax: Int = 10_000, bytesMax: Int = 16 << 20) { (self.countMax, self.bytesMax) = (countMax, bytesMax) }

    var count: Int { letters.count }

    static func bytes(of letter: DeadLetter) -> Int { letter.event.keptBytes + letter.reason.utf8.count + 160 }

    /// Keeps a letter; one of the same name is replaced.
    /// - Returns: those that were forgotten for it.
    mutating func add(_ letter: DeadLetter) -> [DeadLetter] {
        let name = Name(endpoint: letter.endpoint, event: letter.event.id)
        _ = remove(name)
        letters[name] = letter
        order.append((name, nextSerial))
        serials[name] = nextSerial
        nextSerial += 1
        bytes += Self.bytes(of: letter)
        perEndpoint[letter.endpoint, default: 0] += 1
        var forgotten: [DeadLetter] = []
        while count > countMax || bytes > bytesMax, let oldest = popOldest() { forgotten.append(oldest) }
        return forgotten
    }

    /// Takes one out.
    mutating func remove(_ name: Name) -> DeadLetter? {
        guard let letter = letters.removeValue(forKey: name) else { return nil }
        serials[name] = nil
        bytes -= Self.bytes(of: letter)
        let left = (perEndpoint[name.endpoint] ?? 1) - 1
        perEndpoint[name.endpoint] = left > 0 ? left : nil
        if order.count - firstInOrder > 2 * letters.count + 64 { compact() }
        return letter
    }

    /// All, oldest first.
    var all: [DeadLetter] {
        order[firstInOrder...].compactMap { serials[$0.name] == $0.serial ? letters[$0.name] : nil }
    }

    private mutating func popOldest() -> DeadLetter? {
        while firstInOrder < order.count {
            let (name, serial) = order[firstInOrder]
            firstInOrder += 1
            if firstInOrder >= 1_024, firstInOrder * 2 >= order.count {
                order.removeFirst(firstInOrder)
                firstInOrder = 0
            }
            if serials[name] == serial { return remove(name) }
        }
        return nil
    }

    private mutating func compact() {
        order = order[firstInOrder...].filter { serials[$0.name] == $0.serial }
        firstInOrder = 0
    }
}
