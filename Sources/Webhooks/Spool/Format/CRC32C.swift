/// CRC-32C (Castagnoli), the checksum of iSCSI (RFC 3720 §12.1, vectors in §B.4). Eight bytes a step.
struct CRC32C {
    private var state: UInt32 = 0xFFFF_FFFF

    /// Of all that was taken.
    var value: UInt32 { ~state }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var crc = state
        Self.tables.withUnsafeBufferPointer { tables in
            var place = 0
            while bytes.count - place >= 8 {
                let loaded = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                let word = UInt64(littleEndian: loaded) ^ UInt64(crc)
                let low =
                    tables[0x700 + Int(word & 0xFF)] ^ tables[0x600 + Int(word >> 8 & 0xFF)]
                    ^ tables[0x500 + Int(word >> 16 & 0xFF)] ^ tables[0x400 + Int(word >> 24 & 0xFF)]
                let high =
                    tables[0x300 + Int(word >> 32 & 0xFF)] ^ tables[0x200 + Int(word >> 40 & 0xFF)]
                    ^ tables[0x100 + Int(word >> 48 & 0xFF)] ^ tables[Int(word >> 56)]
                crc = low ^ high
                place += 8
            }
            while place < bytes.count {
                crc = tables[Int((crc ^ UInt32(bytes[place])) & 0xFF)] ^ crc >> 8
                place += 1
            }
        }
        state = crc
    }

    mutating func take(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { take($0) }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 {
        var crc = Self()
        bytes.withUnsafeBytes { crc.take($0) }
        return crc.value
    }

    /// Eight times 256: what a byte does to the checksum when 0, 1 … 7 bytes follow it.
    private static let tables: [UInt32] = {
        var tables: [UInt32] = []
        for byte in UInt32(0)..<256 {
            tables.append((0..<8).reduce(byte) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 })
        }
        for place in 256..<2_048 {
            let shorter = tables[place - 256]
            tables.append(tables[Int(shorter & 0xFF)] ^ shorter >> 8)
        }
        return tables
    }()
}
