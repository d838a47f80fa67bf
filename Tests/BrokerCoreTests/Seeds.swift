import BrokerCore

extension SharedBroker {
    /// A broker whose secrets come from one number, so that a test can be repeated.
    convenience init(settings: [AppSettings], loopCount: Int, seed: UInt64, queueBytesMax: Int = 64 << 20) {
        let secrets = BrokerSecrets(names: SecretKey(seed, ~seed), socketIDs: SecretKey(~seed, seed))
        // Any number but none will do: the tests look at the texts only.
        self.init(
            settings: settings, loopCount: loopCount, secrets: secrets, headroomBytes: 3, queueBytesMax: queueBytesMax)
    }
}
