internal import CLinux
internal import Configuration
internal import Glibc

/// Where the listeners of a process are asked for.
enum TakeoverPlace: Equatable {
    case nowhere
    /// The operator said so, and it must work.
    case wanted(String)
    /// Found by the port; the directory may have to be made.
    case automatic(String, directory: String?)

    /// - Parameters:
    ///   - port: of the settings; with 0 nobody could find it.
    ///   - variable: looks a variable up.
    init(_ settings: TakeoverSettings, port: Int, user: uid_t, variable: (String) -> String?) {
        switch settings.socket {
        case TakeoverSettings.nowhere: self = .nowhere
        case TakeoverSettings.automatic where port == 0: self = .nowhere
        case TakeoverSettings.automatic:
            let name = "starling-takeover-\(port).sock"
            // systemd lists several directories with colons between.
            let runtime = variable("RUNTIME_DIRECTORY")?.split(separator: ":").first.map(String.init)
            if let directory = runtime ?? variable("XDG_RUNTIME_DIR"), directory.hasPrefix("/") {
                self = .automatic("\(directory)/\(name)", directory: nil)
            } else {
                self = .automatic("/tmp/starling-\(user)/\(name)", directory: "/tmp/starling-\(user)")
            }
        default: self = .wanted(settings.socket)
        }
    }

    init(_ settings: ServerSettings) {
        self.init(settings.takeover, port: settings.port, user: geteuid()) { name in
            getenv(name).map { String(cString: $0) }
        }
    }

    var path: String? {
        switch self {
        case .nowhere: nil
        case .wanted(let path), .automatic(let path, _): path
        }
    }

    /// Makes the directory that nobody else makes.
    /// - Returns: whether it is this user's alone.
    func prepare() -> Bool {
        guard case .automatic(_, let directory?) = self else { return true }
        return clinux_own_directory(directory) == 0
    }
}
