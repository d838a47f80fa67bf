#if DEBUG
    @testable import BrokerCore
    import PusherProtocol

    // Tables whose secret comes from one number, so that a test can be repeated.

    extension NameHashing {
        convenience init(seed: UInt64) { self.init(key: SecretKey(seed, ~seed)) }
    }

    extension NameTable {
        init(seed: UInt64) { self.init(hashing: NameHashing(seed: seed)) }
    }

    extension Roster {
        convenience init(seed: UInt64) { self.init(hashing: NameHashing(seed: seed)) }
    }

    extension ChannelShard {
        init(seed: UInt64) { self.init(hashing: NameHashing(seed: seed)) }

        mutating func findOrInsert(_ name: Span<UInt8>, kind: ChannelKind) -> Int {
            findOrInsert(name, hash: table.hash(of: name), kind: kind)
        }

        mutating func afterChange(of id: Int) {
            let name = table.names[id]
            afterChange(of: id, hash: table.hash(of: name.span))
        }
    }
#endif
