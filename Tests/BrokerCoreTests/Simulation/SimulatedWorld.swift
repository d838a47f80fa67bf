import BrokerCore
import TestSupport

/// The small world of the simulation: three apps with different rules that share channel names and users.
enum SimulatedWorld {
    struct Channel {
        var name: String
        var isSigned = false
        var isPresence = false
        var isCache = false
        var takesClientEvents = false
    }

    static let channels = [
        Channel(name: "open-a"), Channel(name: "open-b"),
        Channel(name: "private-a", isSigned: true, takesClientEvents: true),
        Channel(name: "private-encrypted-a", isSigned: true),
        Channel(name: "presence-a", isSigned: true, isPresence: true, takesClientEvents: true),
        Channel(name: "presence-b", isSigned: true, isPresence: true, takesClientEvents: true),
        Channel(name: "cache-a", isCache: true),
        Channel(name: "private-cache-a", isSigned: true, isCache: true, takesClientEvents: true),
        Channel(name: "presence-cache-a", isSigned: true, isPresence: true, isCache: true, takesClientEvents: true),
        Channel(name: "private-encrypted-cache-a", isSigned: true, isCache: true),
    ]

    static let users = ["u0", "u1", "u2", "u3", "u4", "u5"]

    static let apps: [AppSettings] = {
        var full = AppSettings(id: "full", keys: [.init(key: "full-key", secret: "full-secret")])
        full.clientEventsEnabled = true
        full.subscriptionCountEnabled = true
        full.limits.presenceMembersMax = 4
        full.limits.watchlistMax = 3
        full.limits.cacheSeconds = 3

        var tight = AppSettings(id: "tight", keys: [.init(key: "tight-key", secret: "tight-secret")])
        tight.clientEventsEnabled = true
        tight.subscriptionErrors = .hosted
        tight.limits.connectionsMax = 6
        tight.limits.channelsMax = 4
        tight.limits.channelsPerConnectionMax = 3
        tight.limits.clientEventsPerSecondMax = 2
        tight.limits.cacheSeconds = 1

        var closed = AppSettings(id: "closed", keys: [.init(key: "closed-key", secret: "closed-secret")])
        closed.subscriptionErrors = .soketi
        closed.watchlistEnabled = false
        closed.limits.backendEventsPerSecondMax = 5
        closed.limits.messagesPerDayMax = 40
        return [full, tight, closed]
    }()

    /// Changes one thing that a command would notice.
    static func vary(_ app: inout AppSettings, _ random: inout SeededRandom) {
        switch random.int(0...9) {
        case 0: app.limits.connectionsMax = random.int(2...30)
        case 1: app.limits.channelsMax = random.int(2...10)
        case 2: app.limits.channelsPerConnectionMax = random.int(1...8)
        case 3: app.limits.presenceMembersMax = random.int(1...6)
        case 4: app.limits.watchlistMax = random.int(1...5)
        case 5: app.limits.cacheSeconds = random.int(1...4)
        case 6: app.clientEventsEnabled.toggle()
        case 7: app.subscriptionErrors = random.pick([.both, .hosted, .soketi])
        case 8:
            let number = random.int(0...999_999)
            app.keys = [.init(key: "\(app.id)-key-\(number)", secret: "\(app.id)-secret-\(number)")]
        default: app.limits.messagesPerDayMax = app.limits.messagesPerDayMax.map { _ in random.int(20...60) }
        }
    }
}
