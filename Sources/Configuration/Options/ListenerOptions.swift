/// What is listened on, and whose connections are whose.
extension Option where Settings == ServerSettings {
    static let listener: [Option] = [
        .init(
            name: "host", key: "host", field: .texts(\.hosts, of: .host), group: .listener,
            help:
                "Addresses to listen on, also several; auto: 127.0.0.1 and ::1 while the built-in app is in use outside a "
                + "container, otherwise :: (IPv6 and IPv4). unix:/PATH, or unix:/PATH?mode=0660 (so unless said), is a Unix "
                + "socket, for a proxy on this machine; trustProxy counts its peers as loopback"),
        .init(
            name: "port", key: "port", field: .integer(\.port, 0...65_535), group: .listener, shortFlag: "p",
            help: "TCP port; 0 picks a free one"),
        .init(
            name: "path-prefix", key: "pathPrefix", field: .text(\.pathPrefix), group: .listener,
            isReloadable: true, help: "Stands before /app/… and /apps/… (pusher-js: wsPath)"),
        .init(
            name: "trust-proxy", key: "trustProxy", field: .networks(\.trustedProxies), group: .listener,
            isReloadable: true,
            help:
                "Believe what a proxy in front says of its client: X-Forwarded-Proto, Forwarded, X-Forwarded-Ssl, "
                + "X-Forwarded-Scheme; for the log also X-Forwarded-For. A list, such as =10.0.0.0/8,loopback "
                + "(or private, linklocal), believes the proxies of those networks only, also behind one another"
        ),
        .init(
            name: "proxy-protocol", key: "proxyProtocol", field: .boolean(\.wantsProxyHeader), group: .listener,
            help:
                "Every connection from the networks of trustProxy must begin with a PROXY header, version 1 or 2 "
                + "(HAProxy: send-proxy-v2, nginx: proxy_protocol on); the address it tells is the client's. "
                + "What others send is never taken for one. The metrics' listener wants none"),
    ]
}
