internal import CLinux
internal import Reactor
internal import TLS

extension Plan {
    /// The plan of a command line.
    /// - Parameters:
    ///   - address: where `options.host` is.
    ///   - tls: what connections begin with if the options say TLS.
    static func make(_ options: Options, address: PeerAddress, tls: TLSClientContext? = nil) -> Plan {
        var target = Target(
            address: address, host: options.server, pathPrefix: options.pathPrefix,
            appID: options.appID, key: options.key, secret: options.secret, sources: options.sources)
        if options.raw != RawDialect() { target.raw = options.raw }
        target.tls = tls.map { Target.Security(context: $0, name: options.bareHost) }
        var plan = Plan(target: target)
        plan.workers = options.threads
        plan.payloadBytes = options.payloadBytes
        plan.prefix = options.channelType == "public" || target.raw != nil ? "" : options.channelType + "-"
        plan.channels = options.channels
        plan.channelsPerClient = options.channelsPerClient
        switch options.scenario {
        case .fanout, .search, .mixed, .pubsub:
            plan.subscribers = max(1, options.channels * options.subscribers / options.channelsPerClient)
            plan.publishers = options.publisherCount
            if options.scenario == .mixed {
                (plan.members, plan.memberChannels) = (options.members, options.memberChannels)
            }
        case .rest: plan.publishers = options.publisherCount
        case .clientEvents:
            plan.channelsPerClient = 1
            plan.subscribers = options.channels * options.peers
            plan.publishers = options.peers
            plan.peersPublish = true
            if options.channelType == "public", target.raw == nil { plan.prefix = "private-" }
        case .connect, .idle, .reconnectStorm, .leave: plan.subscribers = options.connections
        case .presence:
            (plan.members, plan.memberPrefix, plan.channelsPerClient) = (options.connections, "presence-", 0)
        case .churn:
            plan.members = options.connections
            plan.memberChannels = options.memberChannels
            plan.channelsPerClient = 0
            plan.memberPrefix = plan.prefix
        }
        return plan
    }
}
