internal import Configuration
internal import Wire

/// How an answer about webhooks looks, to people and to programs.
struct WebhooksView {
    let question: WebhookInquiry.Question
    let reply: ControlAnswer
    let isColored: Bool

    /// A test whose event was not taken.
    var isFailure: Bool {
        guard case .test = question else { return false }
        return reply.object("attempt")?.text("result") != "delivered"
    }

    // MARK: For programs

    /// A JSON object a line.
    var lines: String {
        let objects =
            switch question {
            case .list: reply.objects("endpoints")
            case .attempts: reply.objects("attempts")
            case .show, .retry, .purge, .test: [reply]
            }
        return objects.map { String(decoding: $0.json, as: UTF8.self).printable + "\n" }.joined()
    }

    // MARK: For people

    var text: String {
        switch question {
        case .list: list
        case .attempts: attempts(reply.objects("attempts"), or: "no attempt was made yet")
        case .show: reply.object("endpoint").map(endpoint) ?? reply.object("event").map(event) ?? lines
        case .retry:
            "\(Self.count(events, "dead letter")) \(events == 1 ? "waits" : "wait") again; what waits is tried at once by "
                + "\(Self.count(reply.number("endpoints") ?? 0, "endpoint"))\n"
        case .purge: "\(Self.count(events, "dead letter")) forgotten\n"
        case .test: test
        }
    }

    /// Of `retry` and `purge`.
    private var events: Int { reply.number("events") ?? 0 }

    private var list: String {
        var table = TextTable([
            .init("ENDPOINT"), .init("APP"), .init("WAITING", isNumber: true), .init("OLDEST", isNumber: true),
            .init("DEAD", isNumber: true), .init("STATE"), .init("URL"),
        ])
        for one in reply.objects("endpoints") {
            let waiting = one.number("waiting") ?? 0
            table.add([
                .init(one.text("id") ?? ""), .init(one.text("app") ?? ""), .init(String(waiting)),
                .init(waiting > 0 ? Self.span(one.number("oldestMilliseconds") ?? 0) : "-"),
                .init(String(one.number("deadLetters") ?? 0)), Self.state(one), .init(one.text("url") ?? ""),
            ])
        }
        return table.isEmpty ? "no webhooks are configured\n" : table.text(isColored: isColored)
    }

    private static func state(_ endpoint: ControlAnswer) -> TextTable.Cell {
        let failures = endpoint.number("failures") ?? 0
        let mark = endpoint.isTrue("removed") ? ", removed" : ""
        guard failures > 0 else { return .init("ok\(mark)", .good) }
        let next = endpoint.number("retryMilliseconds").map { ", next in \(span($0))" } ?? ""
        return .init("\(count(failures, "failure"))\(next)\(mark)", .bad)
    }

    private func endpoint(_ report: ControlAnswer) -> String {
        var facts: [(String, String)] = [
            ("endpoint", report.text("id") ?? ""), ("app", report.text("app") ?? ""), ("url", report.text("url") ?? ""),
            ("state", Self.state(report).text), ("waiting", String(report.number("waiting") ?? 0)),
        ]
        if report.number("waiting") ?? 0 > 0 {
            facts.append(("oldest", "\(Self.span(report.number("oldestMilliseconds") ?? 0)) ago"))
        }
        if let settings = reply.object("settings") {
            facts.append(("events", settings.texts("events").joined(separator: ", ")))
            let parts = [("begins with", "channelPrefix"), ("ends with", "channelSuffix")].compactMap { words, name in
                settings.text(name).flatMap { $0.isEmpty ? nil : "\(words) \($0)" }
            }
            if !parts.isEmpty { facts.append(("channels", parts.joined(separator: ", "))) }
            if !settings.texts("headers").isEmpty {
                facts.append(("headers", settings.texts("headers").joined(separator: ", ")))
            }
            let batch = settings.number("batchMilliseconds") ?? 0
            facts.append(
                ("batches", batch == 0 ? "none" : "\(settings.number("batchEvents") ?? 0) events or \(batch) ms"))
            facts.append(("timeout", "\(settings.number("timeoutSeconds") ?? 0) s"))
            facts.append(("private", settings.isTrue("allowPrivate") ? "allowed" : "refused"))
        }
        return Self.list(facts) + deadLetters + section("attempts", attempts(reply.objects("attempts"), or: ""))
    }

    private var deadLetters: String {
        var table = TextTable([
            .init("EVENT"), .init("NAME"), .init("CHANNEL"), .init("HAPPENED"), .init("GIVEN UP"), .init("REASON"),
        ])
        for one in reply.objects("deadLetters") {
            table.add([
                .init(one.text("event") ?? ""), .init(one.text("name") ?? ""), .init(one.text("channel") ?? ""),
                .init(Self.moment(one.number("happened"))), .init(Self.moment(one.number("time"))),
                .init(one.text("reason") ?? "", .bad),
            ])
        }
        return section("dead letters", table.isEmpty ? "" : table.text(isColored: isColored))
    }

    private func event(_ event: ControlAnswer) -> String {
        var table = TextTable([.init("ENDPOINT"), .init("STATE"), .init("URL"), .init("REASON")])
        for one in reply.objects("places") {
            let state = one.text("state") ?? ""
            table.add([
                .init(one.text("endpoint") ?? ""), .init(state, state == "dead" ? .bad : .plain),
                .init(one.text("url") ?? ""), .init(one.text("reason") ?? ""),
            ])
        }
        let facts = [
            ("event", event.text("id") ?? ""), ("app", event.text("app") ?? ""), ("name", event.text("name") ?? ""),
            ("channel", event.text("channel") ?? ""), ("happened", Self.moment(event.number("happened"))),
            ("json", event.object("json").map { String(decoding: $0.json, as: UTF8.self) } ?? ""),
        ]
        return Self.list(facts.filter { !$0.1.isEmpty }) + section("where it is", table.text(isColored: isColored))
    }

    private func attempts(_ all: [ControlAnswer], or nothing: String) -> String {
        guard !all.isEmpty else { return nothing.isEmpty ? "" : nothing + "\n" }
        var table = TextTable([
            .init("TIME (UTC)"), .init("APP"), .init("ENDPOINT"), .init("FIRST EVENT"), .init("EVENTS", isNumber: true),
            .init("TRY", isNumber: true), .init("MS", isNumber: true), .init("RESULT"),
        ])
        for one in all {
            table.add([
                .init(Self.moment(one.number("time"))), .init(one.text("app") ?? ""),
                .init(one.text("endpoint") ?? ""), .init(one.text("event") ?? ""),
                .init(String(one.number("events") ?? 0)), .init(String(one.number("attempt") ?? 0)),
                .init(String(one.number("milliseconds") ?? 0)), Self.result(one),
            ])
        }
        return table.text(isColored: isColored)
    }

    private static func result(_ attempt: ControlAnswer) -> TextTable.Cell {
        guard attempt.text("result") != "failed" else {
            return .init("\(attempt.text("failure") ?? "failed"): \(attempt.text("text") ?? "")", .bad)
        }
        let wait = attempt.number("retryAfterSeconds").map { ", Retry-After \($0) s" } ?? ""
        let isGood = attempt.text("result") == "delivered"
        return .init("\(attempt.number("status") ?? 0)\(wait)", isGood ? .good : .bad)
    }

    private var test: String {
        guard let attempt = reply.object("attempt") else { return lines }
        let (result, milliseconds) = (Self.result(attempt).text, attempt.number("milliseconds") ?? 0)
        let url = reply.text("url") ?? ""
        guard isFailure else { return "delivered to \(url) in \(milliseconds) ms: it answered \(result)\n" }
        return attempt.text("result") == "failed"
            ? "not delivered to \(url), after \(milliseconds) ms: \(result)\n"
            : "not delivered to \(url), after \(milliseconds) ms: it answered \(result), and only 200 to 299 is success\n"
    }

    // MARK: Words

    private func section(_ title: String, _ text: String) -> String {
        guard !text.isEmpty else { return "" }
        return "\n\(title):\n\(text)"
    }

    /// Names and values, one below the other.
    private static func list(_ facts: [(name: String, value: String)]) -> String {
        let width = facts.reduce(0) { max($0, $1.name.count) } + 2
        return facts.map { fact in
            fact.name + String(repeating: " ", count: width - fact.name.count) + fact.value.printable + "\n"
        }.joined()
    }

    private static func count(_ number: Int, _ name: String) -> String { "\(number) \(name)\(number == 1 ? "" : "s")" }

    /// `4 s`, `5 min`, `3 h`.
    private static func span(_ milliseconds: Int) -> String {
        switch max(0, milliseconds) / 1_000 {
        case let seconds where seconds < 120: "\(seconds) s"
        case let seconds where seconds < 7_200: "\(seconds / 60) min"
        case let seconds: "\(seconds / 3_600) h"
        }
    }

    /// `2026-11-30 05:21:07`, of UTC.
    private static func moment(_ unixMilliseconds: Int?) -> String {
        guard let unixMilliseconds else { return "" }
        let time = CivilTime(unixSeconds: unixMilliseconds / 1_000)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let clock = [time.secondOfDay / 3_600, time.secondOfDay / 60 % 60, time.secondOfDay % 60].map(two)
        return "\(time.year)-\(two(time.month))-\(two(time.day)) \(clock.joined(separator: ":"))"
    }
}
