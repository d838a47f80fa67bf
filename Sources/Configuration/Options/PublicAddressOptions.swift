/// Where the broker is reached from outside.
extension Option where Settings == ServerSettings {
    static let publicAddress: [Option] = [
        .init(
            name: "public-host", key: "publicHost", field: .text(\.publicAddress.host), group: .publicAddress,
            isReloadable: true, help: "Host under which clients reach the broker"),
        .init(
            name: "public-port", key: "publicPort", field: .integer(\.publicAddress.port, 0...65_535),
            group: .publicAddress, isReloadable: true, help: "Its port; 0: the port that was bound"),
        .init(
            name: "public-scheme", key: "publicScheme", field: .words(\.publicAddress.scheme), group: .publicAddress,
            isReloadable: true, help: "Its scheme"),
    ]
}
