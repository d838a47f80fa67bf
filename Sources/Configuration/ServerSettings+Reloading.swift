extension ServerSettings {
    /// What a running server has after a reload: the apps and what `Option.isReloadable` says from `next`, the rest as it was made at
    /// the start.
    /// - Parameter next: checked settings.
    /// - Returns: the settings, and the names of the options that wait for a restart.
    public func reloading(_ next: ServerSettings) -> (settings: ServerSettings, waiting: [String]) {
        var (merged, waiting) = (next, [String]())
        for option in Option<ServerSettings>.server where !option.isReloadable {
            let mine = option.field.read(self)
            guard mine != option.field.read(next) else { continue }
            option.field.write(mine, to: &merged)
            waiting.append(option.name)
        }
        return (merged, waiting)
    }
}
