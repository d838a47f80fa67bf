"""Many WebSocket clients in one thread, plain or TLS, on one epoll: cheap enough that thousands of them leave the broker a core.

A `Link` is one connection and knows the framing only. Subclasses say what becomes of what it hears.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
UPGRADE = ("GET /app/{key}?protocol=7&client=chaos&version=1.0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen when the peer is known, so that ports may be shared
RESET = struct.pack("ii", 1, 0)


def message(opcode: int, payload: bytes) -> bytes:
    """A client's frame with a mask of zeros, which is legal and costs nothing; payloads below 64 KiB."""
    size = len(payload)
    head = struct.pack("!BB", 0x80 | opcode, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    return head + bytes(4) + payload


def event(name: str, **data) -> bytes:
    return message(TEXT, json.dumps({"event": name, "data": data}).encode())


def subscribe(channel: str, **data) -> bytes:
    return event("pusher:subscribe", channel=channel, **data)


PING_EVENT, PONG_EVENT = event("pusher:ping"), event("pusher:pong")


class Link:
    """One connection of a crowd. `greeting` is sent with the upgrade request: a public channel needs no answer first."""

    greeting = b""
    key = "app-key"

    def __init__(self, crowd: Crowd, *, tls: ssl.SSLContext | None = None, source: str = "", receive_buffer: int = 0):
        self.crowd, self.tls = crowd, tls
        self.buffer, self.is_open, self.has_ended, self.code, self.status = bytearray(), False, False, 0, 0
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            plain.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            plain.bind((source, 0))
        plain.settimeout(20)
        plain.connect(("127.0.0.1", crowd.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setblocking(False)
        self.socket = plain if tls is None else tls.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
        self.is_shaking = tls is not None
        self.descriptor = self.socket.fileno()
        crowd.add(self)
        self.shake() if self.is_shaking else self.ask()

    # What a subclass says

    def opened(self) -> None:
        """The upgrade was answered with 101."""

    def heard(self, payload: bytes) -> None:
        """One text message."""

    def ended(self) -> None:
        """TCP ended, or something else than 101 was answered; `code` is that of the close frame, if there was one."""

    # The wire

    def ask(self) -> None:
        self.send(UPGRADE.format(key=self.key).encode() + self.greeting)

    def shake(self) -> None:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return
        except OSError:
            self.end()
            return
        self.is_shaking = False
        self.ask()

    def send(self, data: bytes) -> None:
        """Small and rare, so that the kernel always takes it whole; who is full is given up."""
        if self.has_ended:
            return
        try:
            self.socket.send(data)
        except OSError:
            self.end()

    def readable(self) -> None:
        if self.is_shaking:
            self.shake()
            if self.is_shaking:
                return
        while not self.has_ended:
            try:
                data = self.socket.recv(65_536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            if not data:
                self.end()
                return
            self.buffer += data
            self.parse()
            if self.tls is None and len(data) < 65_536:
                return

    def parse(self) -> None:
        buffer, at = self.buffer, 0
        if not self.is_open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self.status, at = int(buffer[9:12]), end + 4
            if self.status != 101:
                self.end()
                return
            self.is_open = True
            self.opened()
        while len(buffer) - at >= 2 and not self.has_ended:
            size, start = buffer[at + 1], at + 2
            if size >= 126:
                start = at + (4 if size == 126 else 10)
                if len(buffer) < start:
                    break
                size = int.from_bytes(buffer[at + 2:start], "big")
            if len(buffer) < start + size:
                break
            self.take(buffer[at] & 15, bytes(buffer[start:start + size]))
            at = start + size
        del buffer[:at]

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            if payload.startswith(b'{"event":"pusher:ping"'):
                self.send(PONG_EVENT)
            else:
                self.heard(payload)
        elif opcode == PING:
            self.send(message(PONG, payload))
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big")

    def end(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self.crowd.remove(self)
            self.socket.close()
            self.ended()

    # Goodbyes of our own, each of another kind; `ended` is not called

    def vanish(self) -> None:
        """TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.hang_up()

    def hang_up(self) -> None:
        """FIN without a word."""
        self.has_ended = True
        self.crowd.remove(self)
        self.socket.close()

    def say_goodbye(self) -> None:
        """A close frame; the broker answers it and ends."""
        self.send(message(CLOSE, struct.pack("!H", 1000)))


class Crowd:
    """The links of one thread."""

    def __init__(self, port: int):
        self.port, self.epoll, self.links = port, select.epoll(), {}

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_) -> None:
        for link in list(self.links.values()):
            link.vanish()
        self.epoll.close()

    def add(self, link: Link) -> None:
        self.links[link.descriptor] = link
        self.epoll.register(link.descriptor, select.EPOLLIN)

    def remove(self, link: Link) -> None:
        del self.links[link.descriptor]
        self.epoll.unregister(link.descriptor)

    def ignore(self, link: Link) -> None:
        """Reads nothing of it any more."""
        self.epoll.modify(link.descriptor, 0)

    def turn(self, timeout: float = 0.05) -> None:
        for descriptor, _ in self.epoll.poll(timeout, 1_024):
            if link := self.links.get(descriptor):
                link.readable()

    def until(self, condition, what: str, timeout: float) -> float:
        """Turns until `condition()` is true; gives the seconds that it took."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > timeout:
                raise AssertionError(f"not within {timeout} s: {what}")
            self.turn()
        return time.monotonic() - start

    def run(self, seconds: float) -> None:
        """Turns for that long: for clients that do something meanwhile, not to wait for anything."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(min(left, 0.05))


class Numbers:
    """How many events of each channel were begun to be published, and how many were acknowledged."""

    def __init__(self):
        self.begun: dict[str, int] = {}


class Follower(Link):
    """Subscribes to one channel and checks that its events, numbered from 0, come each once and in order."""

    def __init__(self, crowd: Crowd, channel: str, numbers: Numbers, **options):
        self.channel, self.numbers = channel, numbers
        self.greeting = subscribe(channel)
        self.is_subscribed, self.next, self.latest_first = False, None, 0
        self.heard_count = self.lost = self.doubled = self.pongs = 0
        super().__init__(crowd, **options)

    def heard(self, payload: bytes) -> None:
        if payload.startswith(b'{"event":"pusher'):
            if b"subscription_succeeded" in payload:
                # Whatever is begun from now on is for us.
                self.is_subscribed, self.latest_first = True, self.numbers.begun.get(self.channel, 0)
            self.pongs += payload.startswith(b'{"event":"pusher:pong"')
            return
        number = int(json.loads(payload)["data"])
        self.heard_count += 1
        if self.next is None:
            self.lost += max(0, number - self.latest_first)
        elif number >= self.next:
            self.lost += number - self.next
        else:
            self.doubled += 1
        self.next = max(number + 1, self.next or 0)

    def missing_at_end(self) -> int:
        """Events that were published for us and have not come, when nothing is under way any more."""
        begun = self.numbers.begun.get(self.channel, 0)
        first = self.latest_first if self.next is None else self.next
        return max(0, begun - first)
