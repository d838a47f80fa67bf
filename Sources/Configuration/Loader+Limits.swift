import BrokerCore

/// Limits arrive whole: an app of another server may do here what it could do there, and whatever of ours would stand in its
/// way makes room. What the operator said of ours himself stands.
extension Loader {
    mutating func followForeignLimits() {
        for family in ForeignFamily.all where foreignInUse.contains(family.name) { takeDefaults(of: family) }
        makeRoomForMessages()
        makeRoomForRequests()
    }

    /// What the other server allows when nothing is said.
    private mutating func takeDefaults(of family: ForeignFamily) {
        guard !family.appDefaults.isEmpty else { return }
        for index in apps(of: family) {
            drafts[index].foreignBodyBytes = family.requestBodyBytes
            for limit in family.appDefaults where drafts[index].origins[limit.option] == nil {
                if let name = limit.unless, let value = variables[name]?.value, Boolean.parse(value) == true {
                    continue
                }
                guard case .success(let value)? = Self.appByName[limit.option]?.field.parse(limit.value) else {
                    preconditionFailure("a limit of \(family.name) is no value of \(limit.option)")
                }
                drafts[index].set(limit.option, value, .derived("default of \(family.name): \(limit.why)"))
            }
        }
    }

    /// Its own apps; when it has none, those of variables that its settings are about.
    private func apps(of family: ForeignFamily) -> [Int] {
        let own = drafts.indices.filter { drafts[$0].family == family.name || drafts[$0].fileFamily == family.name }
        guard own.isEmpty else { return own }
        return drafts.indices.filter { index in
            if case .file = drafts[index].origin { return false }
            return drafts[index].family == nil || drafts[index].family == ForeignFamily.pusher.name
        }
    }

    /// JSON may write each byte of a text as `\u00XX`, and an envelope with two names stands around it.
    private static func escaped(_ bytes: Int) -> Int { 6 * bytes + 4_096 }

    private mutating func makeRoomForMessages() {
        let largest = drafts.filter { $0.foreignBodyBytes != nil }.map { draft in
            max(draft.app.limits.presenceMemberBytesMax, draft.app.limits.clientEventBytesMax)
        }.max()
        if let largest { raise("message-bytes", to: Self.escaped(largest), for: "one client event or member") }
    }

    /// One request of the largest legal size fits. What its receivers get of it has room by itself (`ServerSettings.backlogBytes`).
    private mutating func makeRoomForRequests() {
        let bodies = drafts.compactMap { draft in
            draft.foreignBodyBytes.map { foreign in
                min(draft.app.limits.batchEventsMax * Self.escaped(draft.app.limits.eventDataBytesMax), foreign)
            }
        }
        if let largest = bodies.max() { raise("request-body-bytes", to: largest, for: "one batch of events") }
    }

    private mutating func raise(_ name: String, to number: Int, for what: String) {
        guard let option = Self.serverByName[name], origins[name] == nil,
            case .integer(let current) = option.field.read(settings), current < number
        else { return }
        option.field.write(.integer(option.field.clamped(number)), to: &settings)
        origins[name] = .derived("has room for \(what)")
    }
}
