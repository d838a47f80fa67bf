/// What a listener serves; its tag in the reactor.
enum ListenerKind: Int {
    case plain
    /// The first byte of a connection tells TLS from HTTP.
    case both
    /// TLS; plain HTTP gets a sentence.
    case secured
}
