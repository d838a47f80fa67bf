"""A WebSocket client on a bare socket: for what a well-behaved library would not send, and for what it hides."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
import socket
import struct
import time
from dataclasses import dataclass

from harness import Broker, credentials
from session import DEADLINE, Closed, Session

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEFAULT_QUERY = "protocol=7&client=test&version=1.0"
SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def event(self) -> dict:
        assert self.opcode == TEXT, self
        return json.loads(self.payload)


def frame(opcode: int, payload: bytes | str = b"", *, fin=True, rsv=0, masked=True, length: int | None = None,
          width: int | None = None) -> bytes:
    """The bytes of one client frame. `length` lies about the payload; `width` 7, 16 or 64 forces its encoding."""
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload) if length is None else length
    width = width or (7 if size < 126 else 16 if size < 65536 else 64)
    first, mask = (0x80 if fin else 0) | rsv << 4 | opcode, 0x80 if masked else 0
    if width == 7:
        head = struct.pack("!BB", first, mask | size)
    elif width == 16:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    pad = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + key + mixed.to_bytes(len(payload), "big")


def text(message) -> bytes:
    """The bytes of one text frame: a string as it is, anything else as JSON."""
    return frame(TEXT, message if isinstance(message, (str, bytes)) else json.dumps(message))


def upgrade_request(target: str, headers: dict | None = None, method: str = "GET") -> bytes:
    """An upgrade request. `headers` overrides a line by name, removes it with None, or adds to it."""
    lines = {"Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": SAMPLE_KEY, **(headers or {})}
    body = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{method} {target} HTTP/1.1\r\n{body}\r\n".encode()


class RawClient(Session):
    """Never answers a ping unless `answers_pings`; keeps what it sent and got visible: `head`, `status`, frames."""

    def __init__(self, broker: Broker, *, key="app-key", secret="app-secret", app_id="1", query=DEFAULT_QUERY,
                 target: str | None = None, headers: dict | None = None, request: bytes | None = None,
                 pipelined: bytes = b"", chunk: int = 0, handshake=True, receive_buffer: int | None = None,
                 answers_pings=False, source: str | None = None, preamble: bytes = b"", path: str | None = None,
                 port: int | None = None, context=None):
        """`source` is the address it comes from (127.0.0.0/8 is ours), `path` a Unix socket, `port` another than the broker's first, `context` an `ssl.SSLContext` for TLS; `preamble` comes before the request. `request` replaces the upgrade request; `pipelined` follows it at once; `chunk` sends both in pieces."""
        self.broker, self.key, self.secret, self.app_id = broker, key, secret, app_id
        self.answers_pings, self.buffer = answers_pings, bytearray()
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(path or ("127.0.0.1", port or broker.port))
        if path is None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.poll = select.poll()  # select() ends at descriptor 1023
        self.poll.register(self.socket, select.POLLIN)
        target = target or f"/app/{key}" + (f"?{query}" if query else "")
        data = preamble + (request or upgrade_request(target, headers)) + pipelined
        for start in range(0, len(data), chunk or len(data)):
            self.send_bytes(data[start : start + (chunk or len(data))])
        if handshake:
            self.read_upgrade()
            self.greet()

    @classmethod
    def of(cls, broker: Broker, name: str, **options) -> "RawClient":
        """A client of `named_app(name)`."""
        return cls(broker, **credentials(name), **options)

    def close(self) -> None:
        """Closes the TCP connection without a close frame."""
        self.socket.close()

    def abort(self) -> None:
        """TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # Bytes

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _fill(self, bytes_min: int, limit: float) -> None:
        while len(self.buffer) < bytes_min:
            left = limit - time.monotonic()
            is_held = getattr(self.socket, "pending", int)() > 0  # by TLS; the kernel does not tell
            if left <= 0 or not (is_held or self.poll.poll(left * 1000)):
                raise TimeoutError(f"nothing more from the broker; so far {bytes(self.buffer[:200])!r}")
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError("the broker closed the TCP connection")
            self.buffer += data

    def _take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    # The upgrade

    def read_head(self, timeout: float = DEADLINE) -> int:
        """Reads the HTTP answer's head into `status` and `headers` (lower-case names)."""
        limit = time.monotonic() + timeout
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self._fill(len(self.buffer) + 1, limit)
        self.head = self._take(end + 4).decode("latin-1")
        first, *lines = self.head.strip().split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines}
        return self.status

    def read_upgrade(self) -> None:
        """Reads a 101 and checks what RFC 6455 §4.2.2 promises."""
        assert self.read_head() == 101, self.head
        wanted = base64.b64encode(hashlib.sha1((SAMPLE_KEY + _GUID).encode()).digest()).decode()
        assert self.headers["sec-websocket-accept"] == wanted, self.head
        assert self.headers["upgrade"].lower() == "websocket", self.head
        assert "upgrade" in self.headers["connection"].lower(), self.head
        assert "sec-websocket-extensions" not in self.headers, self.head

    # Frames

    def read_frame(self, timeout: float = DEADLINE) -> Frame:
        """The next frame, control frames included. TimeoutError, or EOFError when TCP ended without one."""
        limit = time.monotonic() + timeout
        self._fill(2, limit)
        first, second = self.buffer[0], self.buffer[1]
        size, start = second & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            self._fill(start, limit)
            size = int.from_bytes(self.buffer[2:start], "big")
        self._fill(start + size, limit)
        payload = self._take(start + size)[start:]
        return Frame(first & 0x0F, payload, bool(first & 0x80), first >> 4 & 7, bool(second & 0x80))

    def send_frame(self, opcode: int, payload: bytes | str = b"", **options) -> None:
        self.send_bytes(frame(opcode, payload, **options))

    def send_raw(self, message) -> None:
        self.send_bytes(text(message))

    def receive(self, timeout: float = DEADLINE) -> dict:
        """The next text frame, parsed; pings are answered or skipped. Closed when the broker closed."""
        limit = time.monotonic() + timeout
        while True:
            try:
                got = self.read_frame(max(0.0, limit - time.monotonic()))
            except EOFError:
                raise Closed(1006, "") from None
            if got.opcode == TEXT:
                return got.event
            if got.opcode == CLOSE:
                raise Closed(int.from_bytes(got.payload[:2], "big") if got.payload else 1005, got.payload[2:].decode())
            if got.opcode == PING and self.answers_pings:
                self.send_frame(PONG, got.payload)

    def expect_end(self, timeout: float = DEADLINE) -> None:
        """TCP must end now, after whatever is still under way."""
        limit = time.monotonic() + timeout
        try:
            while True:
                self.read_frame(max(0.0, limit - time.monotonic()))
        except EOFError:
            return
