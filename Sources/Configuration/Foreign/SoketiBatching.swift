/// How soketi puts events of one moment together: an option of the process there, of each endpoint here.
struct SoketiBatching: Sendable {
    enum Part: Sendable {
        case isOn, duration
    }

    /// What soketi waits when nothing is said.
    private static let standardMilliseconds = 50
    private static let millisecondsMax = 60_000

    private var isOn: Bool?
    private var milliseconds: Int?
    private var origin = Origin.builtIn

    /// How long events wait for others, and who says so; nil: they do not.
    var wait: (milliseconds: Int, origin: Origin)? {
        isOn == true ? (milliseconds ?? Self.standardMilliseconds, origin) : nil
    }

    /// - Returns: what is wrong with the value, as a sentence.
    mutating func set(_ part: Part, _ text: String, _ origin: Origin) -> String? {
        switch part {
        case .isOn:
            guard let isTrue = Boolean.parse(text) else { return "must be 1, 0, true, false, yes, no, on or off" }
            (isOn, self.origin) = (isTrue, origin)
        case .duration:
            guard let number = Int(text), (0...Self.millisecondsMax).contains(number) else {
                return "must be a whole number of milliseconds from 0 to \(Self.millisecondsMax)"
            }
            milliseconds = number
        }
        return nil
    }

    /// What another file says is added.
    mutating func take(_ other: SoketiBatching) {
        if let isOn = other.isOn { (self.isOn, origin) = (isOn, other.origin) }
        milliseconds = other.milliseconds ?? milliseconds
    }
}
