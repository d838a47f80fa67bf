/// What a listener serves; its tag in the reactor.
enum ListenerKind: Int {
    case plain
    /// The first byte of a connection tells TLS from HTTP.
    case both
    /// TLS; plain HTTP gets a sentence.
    case secured
}

/// What a listener is for, whatever the settings make of it: the word by which a supervisor or the process before this one names it.
enum ListenerRole: String {
    case main
    /// The port that has TLS alone.
    case tls
    case metrics
}
