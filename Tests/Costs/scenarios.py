"""The hot paths. Each scenario drives the daemon turn by turn and gives, per row, how many operations it measured."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator

from callgrind import Costs, read
from daemon import Daemon

KEY, SECRET = "app-key", "app-secret"
CONFIG = {
    "host": "127.0.0.1", "port": 0, "loops": 1, "logLevel": "warning",
    # A limit that is never reached: what it costs the loops to have one is in every row.
    "memory": {"limit": 1 << 40},
    "apps": [{"id": "app-id", "key": KEY, "secret": SECRET, "clientEvents": True,
              "limits": {"batchEvents": 100, "clientEventsPerSecond": 1_000_000}}],
}
# The same with webhooks of all of Pusher's kinds. Nobody listens there, and nothing is sent (steady.c).
CONFIG_WITH_WEBHOOKS = CONFIG | {
    "apps": [app | {"webhooks": [{"url": "http://127.0.0.1:9/hook", "allowPrivate": True}]} for app in CONFIG["apps"]]}
# What steady.c's wall clock says.
NOW = 1_700_001_000
PAYLOAD = json.dumps({"order": 4711, "state": "paid", "text": "a" * 128})[:126] + '"}'
UPGRADE = (f"GET /app/{KEY}?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1\r\nHost: 127.0.0.1:6001\r\n"
           "Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://shop.example\r\nUser-Agent: costs\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()

Row = tuple[str, int, Costs]  # name, operations, what they cost together


def signature(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def post(path: str, body: dict) -> bytes:
    """A signed request as server libraries send it."""
    raw, path = json.dumps(body, separators=(",", ":")).encode(), "/apps/app-id" + path
    query = f"auth_key={KEY}&auth_timestamp={NOW}&auth_version=1.0&body_md5={hashlib.md5(raw).hexdigest()}"
    query += "&auth_signature=" + signature(f"POST\n{path}\n{query}")
    head = (f"POST {path}?{query} HTTP/1.1\r\nHost: 127.0.0.1:6001\r\nUser-Agent: costs\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n")
    return head.encode() + raw


def frame(message: dict) -> bytes:
    """A masked text frame of at most 65,535 bytes."""
    payload, mask = json.dumps(message, separators=(",", ":")).encode(), b"\x37\xfa\x21\x3d"
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    pad = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return b"\x81" + length + mask + bytes(a ^ b for a, b in zip(payload, pad))


def await_text(connection: socket.socket, text: bytes, count: int = 1) -> bytes:
    """Reads until `text` has come `count` times: no more is under way when it is what ends the answer."""
    got = b""
    while got.count(text) < count:
        data = connection.recv(1 << 18)
        if not data:
            raise RuntimeError(f"the daemon closed the connection after {got!r}")
        got += data
    if got.count(text) > count:
        raise RuntimeError(f"more than {count} times {text!r}: {got!r}")
    return got


class Client:
    """A WebSocket client that has its `connection_established`."""

    def __init__(self, daemon: Daemon):
        self.daemon, self.socket = daemon, daemon.connect()
        daemon.ask(self.socket, UPGRADE)
        text = await_text(self.socket, b"activity_timeout").decode("latin-1")
        self.id = text.partition('socket_id\\":\\"')[2].partition('\\"')[0]

    def send(self, message: dict) -> None:
        self.daemon.ask(self.socket, frame(message))

    def subscription(self, channel: str, user: str | None = None) -> dict:
        data = {"channel": channel}
        if user is not None:
            data["channel_data"] = json.dumps({"user_id": user, "user_info": {"name": "N. N."}}, separators=(",", ":"))
        if channel.startswith(("private-", "presence-")):
            text = f"{self.id}:{channel}" + (":" + data["channel_data"] if user is not None else "")
            data["auth"] = f"{KEY}:{signature(text)}"
        return {"event": "pusher:subscribe", "data": data}

    def subscribe(self, channel: str, user: str | None = None) -> "Client":
        self.send(self.subscription(channel, user))
        await_text(self.socket, b"subscription_succeeded")
        return self


class Scenarios:
    """Scenarios of one daemon."""

    def __init__(self, daemon: Daemon, operations: int):
        self.daemon, self.operations = daemon, operations

    def measured(self, operation, count: int) -> Costs:
        """A quarter warms up: buffers and tables reach their size."""
        for _ in range(max(3, count // 4)):
            operation()
        self.daemon.dump()
        for _ in range(count):
            operation()
        return read(self.daemon.dump())

    def rows(self) -> Iterator[Row]:
        yield from self.idle()
        self.api = self.daemon.connect()
        yield from self.triggers()
        yield from self.fanout()
        yield from self.client_events()
        yield from self.connections()
        yield from self.subscriptions()

    def rows_with_webhooks(self) -> Iterator[Row]:
        """What somebody pays for webhooks who causes some; a delivery causes none."""
        self.api = self.daemon.connect()
        for source in self.connections(), self.subscriptions(), self.fanout(), self.client_events():
            for name, operations, costs in source:
                yield f"{name}, with webhooks", operations, costs

    def idle(self) -> Iterator[Row]:
        yield "tick of an idle loop", self.operations, self.measured(self.daemon.tick, self.operations)

    def publish(self, request: bytes, count: int = 1) -> None:
        self.daemon.ask(self.api, request)
        await_text(self.api, b"HTTP/1.1 200", count)

    def triggers(self) -> Iterator[Row]:
        event = {"name": "message", "channels": ["empty"], "data": PAYLOAD}
        request = post("/events", event)
        count = self.operations
        yield "trigger, empty channel", count, self.measured(lambda: self.publish(request), count)
        batch = [{"name": "message", "channel": f"empty-{n}", "data": PAYLOAD} for n in range(10)]
        request, count = post("/batch_events", {"batch": batch}), self.operations // 2
        yield "event in a batch of 10", 10 * count, self.measured(lambda: self.publish(request), count)

    def fanout(self) -> Iterator[Row]:
        """One more delivery is the difference between 200 subscribers and 100: the publish itself cancels."""
        request = post("/events", {"name": "message", "channels": ["crowd"], "data": PAYLOAD})
        crowd: list[Client] = []

        def publish(in_flight: int) -> None:
            self.publish(request * in_flight, in_flight)
            for client in crowd:
                await_text(client.socket, b'"message"', in_flight)

        count = self.operations // 10
        costs = {}
        for size in 100, 200:
            crowd += [Client(self.daemon).subscribe("crowd") for _ in range(100)]
            for in_flight in 1, 32:
                costs[size, in_flight] = self.measured(lambda: publish(in_flight), count)
        yield "publish to 100 subscribers", count, costs[100, 1]
        yield "one of 32 in flight to 100", 32 * count, costs[100, 32]
        yield "one more delivery", 100 * count, costs[200, 1] - costs[100, 1]
        yield "one more delivery, 32 in flight", 3_200 * count, costs[200, 32] - costs[100, 32]

    def client_events(self) -> Iterator[Row]:
        for channel, users in ("private-pair", (None, None)), ("presence-pair", ("1", "2")):
            sender, receiver = (Client(self.daemon).subscribe(channel, user) for user in users)
            if users[0]:
                await_text(sender.socket, b"member_added")
            message = frame({"event": "client-message", "channel": channel, "data": {"text": PAYLOAD}})

            def speak() -> None:
                self.daemon.ask(sender.socket, message)
                await_text(receiver.socket, b'"client-message"')

            name = f"client event, {channel.partition('-')[0]} channel"
            yield name, self.operations, self.measured(speak, self.operations)

    def connections(self) -> Iterator[Row]:
        """Channels of 20 users that all come and all go; the second time counts."""
        count = self.operations // 20 * 20
        for is_measured in False, True:
            self.daemon.dump()
            clients = [Client(self.daemon) for _ in range(count)]
            connecting = read(self.daemon.dump())
            for number, client in enumerate(clients):
                client.subscribe(f"presence-room-{number // 20}", str(number))
            joining = read(self.daemon.dump())
            for client in clients:
                # A socket that closes with unread bytes would reset the connection.
                await_text(client.socket, b"pusher_internal:member_", 19)
                client.socket.close()
                self.daemon.go()
            leaving = read(self.daemon.dump())
        yield "connect, to connection_established", count, connecting
        yield "presence subscribe, rooms of 20", count, joining
        yield "close, presence rooms of 20", count, leaving

    def subscriptions(self) -> Iterator[Row]:
        client = Client(self.daemon)
        unsubscribe = frame({"event": "pusher:unsubscribe", "data": {"channel": "news"}})

        def come_and_go() -> None:
            client.subscribe("news")
            self.daemon.ask(client.socket, unsubscribe)

        yield "subscribe + unsubscribe", self.operations, self.measured(come_and_go, self.operations)
        ping = frame({"event": "pusher:ping", "data": {}})

        def ping_pong() -> None:
            self.daemon.ask(client.socket, ping)
            await_text(client.socket, b"pusher:pong")

        yield "ping", self.operations, self.measured(ping_pong, self.operations)
