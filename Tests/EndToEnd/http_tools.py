"""What the HTTP tests share: a keep-alive caller, a raw socket, and the checks that every reply has to pass.
Starting the broker and speaking WebSocket is harness.py's business, signatures are signing.py's."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import time
from dataclasses import dataclass, field

from harness import DEADLINE, Broker, wait_until
from signing import KEY, SECRET, target


@dataclass
class Reply:
    status: int
    headers: dict = field(default_factory=dict)  # names in lower case
    body: bytes = b""

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.headers.get('content-type')} {self.body[:400]!r}>"


def event(channel: str = "c", name: str = "e", data: str = "d", **members) -> bytes:
    return json.dumps({"name": name, "channel": channel, "data": data, **members}).encode()


# Callers


class Caller:
    """Signed calls below /apps/{id} over one keep-alive connection, opened again when the broker closed it."""

    def __init__(self, broker: Broker, *, app_id="1", key=KEY, secret=SECRET, prefix=""):
        self.connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=DEADLINE)
        self.app_id, self.key, self.secret, self.prefix = app_id, key, secret, prefix

    def __call__(self, method: str, path: str, body=None, params=(), headers=None) -> Reply:
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        signed = target(method, f"{self.prefix}/apps/{self.app_id}{path}", raw, params, key=self.key, secret=self.secret)
        return self.send(method, signed, raw, headers)

    def send(self, method: str, request_target: str, body: bytes | None = None, headers=None) -> Reply:
        try:
            self.connection.request(method, request_target, body, headers or {})
            reply = self.connection.getresponse()
        except http.client.HTTPException:
            self.connection.close()
            raise
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())

    def publish(self, body=None, **members) -> Reply:
        return self("POST", "/events", body if body is not None else {"name": "e", "data": "d", **members})

    def get(self, path: str, **params) -> Reply:
        return self("GET", path, None, params)

    def close(self) -> None:
        self.connection.close()


class Raw:
    """A TCP connection on which a test writes any bytes it likes."""

    def __init__(self, broker: Broker, timeout: float = DEADLINE):
        self.socket = socket.create_connection(("127.0.0.1", broker.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> "Raw":
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def send_slowly(self, data: bytes) -> "Raw":
        """One segment per byte. A broker that has refused already may close half-way: that is for the caller to read."""
        try:
            for byte in data:
                self.socket.sendall(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def _fill(self) -> bool:
        try:
            received = self.socket.recv(65536)
        except ConnectionResetError:
            received = b""
        self.buffer += received
        return bool(received)

    def head(self) -> Reply:
        """The next status line and header section, interim replies included."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                raise EOFError(f"closed after {self.buffer!r}")
        text, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status, *lines = text.decode("latin-1").split("\r\n")
        assert status.startswith("HTTP/1.1 "), status
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            assert name.lower() not in headers or name.lower() not in ("content-length", "transfer-encoding"), text
            headers[name.lower()] = value.strip()
        return Reply(int(status.split(" ")[1]), headers)

    def reply(self, *, to_head: bool = False, interim: bool = True) -> Reply:
        """The next final reply, its body taken by Content-Length or from chunks; `to_head` when it answers a HEAD."""
        reply = self.head()
        while reply.status == 100:
            assert interim, "100 Continue where none was due"
            reply = self.head()
        if reply.headers.get("transfer-encoding") == "chunked" and not to_head:
            reply.body = b"".join(self.chunks())
        elif not to_head and reply.status != 204:
            reply.body = self._take(int(reply.headers["content-length"]))
        return reply

    def _take(self, length: int) -> bytes:
        while len(self.buffer) < length:
            if not self._fill():
                raise EOFError(f"cut: {self.buffer!r} of {length}")
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def chunks(self) -> list[bytes]:
        """The chunks of one body, up to its end and no further."""
        found = []
        while not found or found[-1]:
            line = b""
            while not line.endswith(b"\r\n"):
                line += self._take(1)
            chunk = self._take(int(line, 16) + 2)
            assert chunk.endswith(b"\r\n"), chunk[-100:]
            found.append(chunk[:-2])
        return found[:-1]

    def rest(self) -> bytes:
        """Everything up to the broker's close, which must come before the deadline."""
        while self._fill():
            pass
        return self.buffer

    def expect_closed(self) -> None:
        assert self.rest() == b"", self.buffer


# The header lines of a good WebSocket handshake.
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def plain(method: str = "GET", path: str = "/ready", *lines: str, body: bytes = b"") -> bytes:
    """An unsigned request; `lines` are extra header lines."""
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def signed_post(body: bytes, *lines: str, path="/apps/1/events", framed: bytes | None = None) -> bytes:
    """A signed publish. `framed` replaces what is sent after the head; without lines a Content-Length is added."""
    return plain("POST", target("POST", path, body), *(lines or (f"Content-Length: {len(body)}",)),
                 body=body if framed is None else framed)


def chunks(*parts: bytes, trailer: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailer + b"\r\n"


# Checks


def assert_error(reply: Reply, status: int, *words: str) -> None:
    """PW §6.9: the real status, and a JSON object with the text and the same status."""
    assert reply.status == status, reply
    assert reply.headers["content-type"].split(";")[0] == "application/json", reply
    assert reply.json["code"] == status and isinstance(reply.json["error"], str) and reply.json["error"], reply
    for word in words:
        assert word.lower() in reply.json["error"].lower(), f"{word!r} is not named in {reply.json['error']!r}"


def assert_success(reply: Reply) -> dict:
    """PW §6.1: exactly 200 with a JSON object."""
    assert reply.status == 200, reply
    assert reply.headers["content-type"].split(";")[0] == "application/json", reply
    assert isinstance(reply.json, dict), reply
    return reply.json


class Bystander:
    """A subscriber of the channels that refused publishes name. The next thing it ever gets is our marker."""

    numbers = itertools.count()

    def __init__(self, broker: Broker, *channels: str, **options):
        self.broker, self.channels, self.client = broker, channels, broker.client(**options)
        for channel in channels:
            self.client.subscribe(channel)

    def assert_undisturbed(self, caller: Caller) -> None:
        """Publishes a marker by the same road and order as the call before it, and expects nothing else."""
        marker = f"marker {next(self.numbers)}"
        body = {"name": "marker", "channels": list(self.channels), "data": marker}
        assert_success(caller("POST", "/events", body))
        frames = [self.client.receive() for _ in self.channels]
        assert {(f["event"], f["data"]) for f in frames} == {("marker", marker)}, frames
        assert {f["channel"] for f in frames} == set(self.channels), frames

    def close(self) -> None:
        self.client.close()


def fresh_second() -> int:
    """The current Unix second, not at its end: for timestamps at the very edge of the window."""
    wait_until(lambda: time.time() % 1 < 0.5, "the middle of a second", timeout=2)
    return int(time.time())
