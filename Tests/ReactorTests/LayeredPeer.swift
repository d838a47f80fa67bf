internal import CLinux
internal import Glibc
@testable import Reactor
import Testing

/// The far end of a connection with a layer, worked by the test: nothing goes out or is read before it says so.
final class LayeredPeer {
    let layer: XorLayer
    private let descriptor: CInt
    /// What the loop's side said, opened.
    private(set) var heard: [UInt8] = []
    /// Why nothing more will come: 0 for its FIN, or an errno.
    private(set) var end: CInt?

    init(_ descriptor: CInt, _ layer: XorLayer) { (self.descriptor, self.layer) = (descriptor, layer) }
    deinit { clinux_close(descriptor) }

    /// Sends every record that was made, as one piece.
    func push() {
        let bytes = layer.outgoing
        #expect(clinux_send(descriptor, bytes.baseAddress, bytes.count) == bytes.count)
        layer.sent(bytes.count)
    }

    /// Makes a record.
    func seal(_ bytes: [UInt8]) { #expect(bytes.withUnsafeBytes { layer.seal($0) } == bytes.count) }

    /// Reads what is there, up to so many bytes, and opens it.
    func pull(_ bytesMax: Int = 1 << 20) {
        var chunk = [UInt8](repeating: 0, count: bytesMax)
        let count = chunk.withUnsafeMutableBytes { clinux_receive(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else {
            if count != -Int(EAGAIN) { end = CInt(truncatingIfNeeded: -count) }
            return
        }
        chunk.withUnsafeBytes { layer.feed(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        while case .bytes(let opened) = chunk.withUnsafeMutableBytes({ layer.open(into: $0) }) {
            heard += chunk[..<opened]
        }
    }

    func shutDown() { _ = clinux_shutdown_write(descriptor) }
}

extension EventLoop {
    /// A connection with a layer over a socket pair; the loop's side speaks first if it `isClient`. One turn has been made.
    func layered(
        _ handler: Script, isClient: Bool = true, rekeyOneIn: Int = 0
    ) throws -> (slot: UInt32, layer: XorLayer, peer: LayeredPeer) {
        let ends = try socketPair()
        let layer = XorLayer(isClient: isClient, rekeyOneIn: rekeyOneIn)
        let slot = try adopt(Descriptor(owning: ends.0), layer: layer)
        turns(1, handler)
        return (slot, layer, LayeredPeer(ends.1, XorLayer(isClient: !isClient)))
    }

    /// The same after the handshake.
    func established(
        _ handler: Script, rekeyOneIn: Int = 0
    ) throws -> (slot: UInt32, layer: XorLayer, peer: LayeredPeer) {
        let made = try layered(handler, rekeyOneIn: rekeyOneIn)
        made.peer.pull()
        made.peer.push()
        turns(1, handler)
        #expect(state(made.slot).flags.contains(.announced))
        return made
    }
}
