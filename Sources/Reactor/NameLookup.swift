internal import CLinux

/// What a name stands for, by the machine's own means: `/etc/hosts`, then DNS.
public enum NameLookup {
    /// More of them nobody needs.
    public static let addressesMax = 16

    /// The addresses of a name, each once, in the order in which they are to be tried; their port is 0. Blocks, for as long as the name servers
    /// let it: on no loop's thread.
    /// - Throws: `isResolution`, unless the machine is short of something.
    public static func addresses(of name: String) throws(IOError) -> [PeerAddress] {
        var found = [clinux_address](repeating: clinux_address(), count: 2 * addressesMax)
        let count = try IOError.check(clinux_lookup(name, &found, CInt(found.count)), name)
        var addresses: [PeerAddress] = []
        for one in found.prefix(Int(count)).map(PeerAddress.init) where !addresses.contains(one) {
            addresses.append(one)
        }
        return Array(addresses.prefix(addressesMax))
    }
}
