import Arguments

extension Commands {
    static let webhookCommands = inquiries + ["verify"]

    /// `webhooks COMMAND …`.
    func webhooks(_ arguments: [String]) -> CommandLineRequest {
        let rest = Array(arguments.dropFirst())
        switch arguments.first {
        case "verify"?: return .text(verifyWebhook(rest))
        case let name? where Self.inquiries.contains(name): return inquire(name, rest)
        case "--help"?, "-h"?: return .text(.success(HelpText.webhooks))
        case let name?:
            let hint = NearestName.hint(name, in: Self.webhookCommands, quote: "")
            return .text(.usage("unknown command webhooks \(name.quoted)\(hint)"))
        case nil:
            return .text(.usage("webhooks needs a command: \(Self.webhookCommands.joined(separator: ", "))"))
        }
    }
}
