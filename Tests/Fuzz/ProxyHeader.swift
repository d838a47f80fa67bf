// PROXY headers. The first byte: how much of the peer's bytes is there at first; the rest: the peer's bytes.
#if canImport(Wire)
    import Wire
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let input = UnsafeBufferPointer(start: start + 1, count: count - 1)
    let step = max(1, Int(start[0]))
    var (header, fault): (ProxyHeader?, ProxyHeader.Fault?)
    for cut in Array(stride(from: 0, to: input.count, by: step)) + [input.count] {
        do throws(ProxyHeader.Fault) {
            let read = try ProxyHeader.parse(input.span.extracting(0..<cut))
            precondition(fault == nil, "what was refused was accepted later")
            precondition(header == nil || header == read, "the header changed with what follows it")
            precondition(read == nil || read?.byteCount ?? 0 <= cut, "the header ends behind what is there")
            precondition(read != nil || cut < ProxyHeader.bytesMax, "waits beyond its limit")
            header = read
        } catch {
            precondition(header == nil, "an accepted header was refused later")
            precondition(fault == nil || fault == error, "the fault changed")
            fault = error
        }
    }
    guard let header else { return 0 }
    precondition((12...ProxyHeader.bytesMax).contains(header.byteCount))
    // Nothing that follows is part of it, and nothing of it can be missing.
    let whole = try? ProxyHeader.parse(input.span.extracting(0..<header.byteCount))
    precondition(whole == header, "what follows the header changes it")
    let short = try? ProxyHeader.parse(input.span.extracting(0..<header.byteCount - 1))
    precondition(short == .some(nil), "the header was whole before its last byte")
    return 0
}
