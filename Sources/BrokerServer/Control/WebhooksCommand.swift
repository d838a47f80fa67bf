public import Configuration
internal import BrokerCore
internal import Webhooks
internal import Wire

/// `starling webhooks`: asks a running broker about its webhooks, and shows the answer. Blocking, for the command line.
public enum WebhooksCommand {
    /// What was wrong, and the exit code that says so.
    public struct Problem: Error {
        public var exitCode: Int32
        public var text: String
    }

    /// What is printed, and the exit code: 1 for a test that failed.
    public struct Output: Sendable, Equatable {
        public var text: String
        public var exitCode: Int32 = 0
    }

    /// - Parameter isColored: for a terminal.
    public static func run(_ inquiry: WebhookInquiry, isColored: Bool) throws(Problem) -> Output {
        let request = try request(inquiry.question)
        let path = ControlServer.path(in: inquiry.stateDirectory)
        let answer: ControlClient.Answer
        do throws(ControlClient.Problem) {
            answer = try ControlClient.ask(request, at: path, timeoutSeconds: inquiry.timeoutSeconds)
        } catch {
            throw problem(error, path, inquiry)
        }
        guard let reply = ControlAnswer(answer.body) else {
            throw Problem(exitCode: 1, text: "what answered at \(path) is no Starling of this version")
        }
        guard answer.status == 200 else {
            let text = reply.text("error") ?? "it was refused with status \(answer.status)"
            throw Problem(exitCode: answer.status == 504 ? 124 : 1, text: text)
        }
        let view = WebhooksView(question: inquiry.question, reply: reply, isColored: isColored)
        return Output(text: inquiry.printsJSON ? view.lines : view.text, exitCode: view.isFailure ? 1 : 0)
    }

    private static func request(_ question: WebhookInquiry.Question) throws(Problem) -> ControlRequest {
        switch question {
        case .list(let app): .endpoints(app: app)
        case .attempts(let app): .attempts(app: app, limit: ControlRequest.attemptsMax)
        case .show(let id): .explain(try name(id))
        case .retry(let id?): .retry(.one(try name(id)))
        case .retry(nil): .retry(.all)
        case .purge(let id?): .purge(.one(try name(id)))
        case .purge(nil): .purge(.all)
        case .test(let url, let app, let allowsPrivate): .test(url, app: app, allowsPrivate: allowsPrivate)
        }
    }

    private static func name(_ id: String) throws(Problem) -> WebhookName {
        guard let name = WebhookName(id) else {
            throw Problem(
                exitCode: ExitCode.usage,
                text:
                    "\(id.debugDescription) is no ID: an endpoint's has 16 digits (starling webhooks list), an event's those, a "
                    + "dash and more (X-Starling-Event-Id)")
        }
        return name
    }

    private static func problem(_ error: ControlClient.Problem, _ path: String, _ inquiry: WebhookInquiry) -> Problem {
        switch error {
        case .missing:
            Problem(
                exitCode: ExitCode.unavailable,
                text:
                    "no broker is there: there is no socket \(path); is --state-directory the broker's, and does it run?"
            )
        case .abandoned:
            Problem(
                exitCode: ExitCode.unavailable,
                text: "no broker is there any more: nobody listens at \(path)")
        case .forbidden:
            Problem(
                exitCode: 1,
                text: "\(path) may not be opened by this user: ask as the user that the broker runs as, or as root")
        case .dismissed:
            Problem(
                exitCode: 1,
                text: "the broker at \(path) hung up: it is another user's, is just ending, or too many ask at once")
        case .late:
            Problem(
                exitCode: 124, text: "no answer within \(inquiry.timeoutSeconds) s from the broker at \(path)")
        case .broken(let text): Problem(exitCode: 1, text: "\(path): \(text)")
        }
    }
}
