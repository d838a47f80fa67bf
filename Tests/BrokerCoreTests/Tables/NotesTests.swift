@testable import BrokerCore
import PusherProtocol
import Testing

/// What the broker notes for the log.
@Suite("Notes for the log") struct NotesTests {
    private func taken(_ broker: LoopBroker) -> [String] {
        defer { broker.effects.notes.clear() }
        return broker.effects.notes.list.map { note in
            let channel = String(decoding: note.channel, as: UTF8.self)
            return "\(note.kind) \(note.code.map(String.init) ?? "-") \(channel)"
        }
    }

    private func say(_ broker: LoopBroker, _ messages: [String]) {
        for message in messages { broker.receive(slot: 0, message: Array(message.utf8).span) }
    }

    @Test(arguments: AppSettings.SubscriptionErrorDialect.allCases)
    func everyRefusalIsNotedOnceInEveryDialect(_ dialect: AppSettings.SubscriptionErrorDialect) {
        let fixture = BrokerFixture { $0.subscriptionErrors = dialect }
        let peer = fixture.connect()
        let broker = fixture.brokers[peer.loop]
        say(
            broker,
            [
                "{", #"{"event":"pusher:subscribe","data":{"channel":"open"}}"#,
                #"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"key:0"}}"#,
                #"{"event":"pusher:signin","data":{"auth":"key:0","user_data":"{}"}}"#,
                #"{"event":"client-x","channel":"private-b","data":"{}"}"#,
                #"{"event":"client-x","channel":"open","data":"{}"}"#,
            ])
        #expect(
            taken(broker) == [
                "messageRefused - ", "subscriptionRefused 401 private-a", "signInRefused 4009 ",
                "clientEventRefused - private-b", "clientEventRefused 4301 open",
            ])
    }

    @Test func whatGoesWellIsNotedOnlyWhileTracing() {
        let fixture = BrokerFixture()
        let peer = fixture.connect()
        let broker = fixture.brokers[peer.loop]
        for isTracing in [false, true] {
            broker.effects.notes.isTracing = isTracing
            let auth = fixture.signer.channel("private-a", socket: fixture.socket(peer))
            say(
                broker,
                [
                    #"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"\#(auth)"}}"#,
                    #"{"event":"client-x","channel":"private-a","data":"{}"}"#,
                    #"{"event":"pusher:unsubscribe","data":{"channel":"private-a"}}"#,
                    #"{"event":"pusher:unsubscribe","data":{"channel":"never-joined"}}"#,
                ])
            let expected = ["subscribed - private-a", "clientEventSent - private-a", "unsubscribed - private-a"]
            #expect(taken(broker) == (isTracing ? expected : []))
        }
    }

    @Test func aFloodIsCountedAndNotKept() {
        let fixture = BrokerFixture()
        let broker = fixture.brokers[fixture.connect().loop]
        say(broker, Array(repeating: "{", count: 1_000))
        #expect(broker.effects.notes.list.count == Notes.notesMax)
        #expect(broker.effects.notes.leftOut[Int(Notes.Kind.messageRefused.rawValue)] == 1_000 - UInt64(Notes.notesMax))
        broker.effects.notes.clear()
        #expect(broker.effects.notes.isEmpty && broker.effects.notes.leftOut.isEmpty)
    }

    @Test func aLongNameIsCut() {
        let fixture = BrokerFixture()
        let broker = fixture.brokers[fixture.connect().loop]
        say(broker, [#"{"event":"pusher:subscribe","data":{"channel":"\#(String(repeating: "x", count: 9_000))"}}"#])
        #expect(broker.effects.notes.list.map(\.channel.count) == [Notes.channelBytesMax])
    }
}
