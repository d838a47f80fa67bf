/// Storage that every command of a loop uses again, so that a command allocates nothing.
struct Scratch {
    /// A frame's text before it is posted.
    var json: [UInt8] = []
    /// The decoded texts of a client's message.
    var decoded: [UInt8] = []
    /// A client event's data, where it has to be written as a string first.
    var literal: [UInt8] = []

    /// Takes one of them out, to be put back afterwards: a command may come to use it while its caller does.
    static func take(_ storage: inout [UInt8]) -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &storage)
        return taken
    }

    /// Gives the memory back.
    mutating func release() { (json, decoded, literal) = ([], [], []) }
}
