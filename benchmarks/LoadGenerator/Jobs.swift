/// What a worker was told to do. Each job is a value that says what is due; the worker does it.
struct Jobs {
    var dialing = Dialing(clients: 0, ratePerSecond: 0, window: 1, now: 0)
    var publishing: Publishing?
    var clientEvents: ClientEvents?
    var membership: MembershipJob?
    var probes: Probes?
    var pinging: Pinging?
}
