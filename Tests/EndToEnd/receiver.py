"""A back end that takes webhooks: a real HTTP(S) server whose every answer a test decides, and which keeps the very bytes that came.

    with Receiver() as hooks:
        hooks.answer(Answer(500), Answer.hang(), path="/a")   # the next two requests to /a; later ones get `hooks.usual`
        …
        first = hooks.wait(1)[0]                              # waits until so many requests came, all of them whole
        first.check(key="app-key", secret="app-secret")       # headers and signature as the official Node library looks at them

One thread a connection, blocking, so that a request that hangs holds up nobody. Times are `time.monotonic()`."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

from session import DEADLINE


@dataclasses.dataclass
class Answer:
    """What a request gets."""
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    # Before the answer.
    delay: float = 0.0
    # Ends the connection after it.
    closes: bool = False
    # In place of an answer: what is done with the connection.
    act: Callable[["Connection"], None] | None = None

    @staticmethod
    def hang(seconds: float | None = None) -> "Answer":
        """Nothing, until the client goes (or for so long, and then the connection is closed)."""
        return Answer(act=lambda connection: connection.wait_for_end(seconds))

    @staticmethod
    def reset() -> "Answer":
        return Answer(act=lambda connection: connection.reset())

    @staticmethod
    def close() -> "Answer":
        """The connection ends without an answer."""
        return Answer(act=lambda connection: None)

    @staticmethod
    def drip(count: int = 1_000, every: float = 0.2) -> "Answer":
        """A whole head at once, and its body byte by byte."""
        return Answer(act=lambda connection: connection.drip(count, every))

    @staticmethod
    def raw(data: bytes, delay: float = 0.0) -> "Answer":
        """These bytes, whatever they are, and the end of the connection."""
        def act(connection: "Connection") -> None:
            connection.pause(delay)
            connection.send(data)
        return Answer(act=act)

    @staticmethod
    def redirect(location: str, status: int = 302) -> "Answer":
        return Answer(status, {"Location": location})

    def encoded(self) -> bytes:
        fields = {"Content-Length": len(self.body), **({"Connection": "close"} if self.closes else {}), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Said\r\n{head}\r\n".encode() + self.body


@dataclasses.dataclass
class Received:
    """One request, as it came."""
    raw: bytes
    # When its last byte was here; what a wall clock said then, in milliseconds.
    at: float
    unix_ms: int
    # The number of its connection: 1, 2 …
    connection: int
    # When the client closed a connection that did not answer; None: it has not.
    left_at: float | None = None
    # What was answered; None: nothing, or not yet.
    status: int | None = None

    @property
    def line(self) -> str:
        return self.raw.partition(b"\r\n")[0].decode()

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Names exactly as they came."""
        lines = self.raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]

    def field(self, name: str) -> str:
        """The one value of a field with exactly this name, letter case included, as PHP looks it up."""
        found = [value for given, value in self.fields if given == name]
        assert len(found) == 1, (name, self.fields)
        return found[0]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict]:
        return self.json["events"]

    @property
    def names(self) -> list[str]:
        return [event["name"] for event in self.events]

    @property
    def event_ids(self) -> list[str]:
        """The names of its events, in their order."""
        return self.field("X-Starling-Event-Id").split(", ")

    def check(self, key: str = "app-key", secret: str = "app-secret") -> None:
        """As the official Node library looks at it: the content type literally, the signature over the raw body."""
        assert self.line == f"POST {self.path} HTTP/1.1", self.line
        assert self.field("Content-Type") == "application/json"
        assert self.field("X-Pusher-Key") == key
        made = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        assert self.field("X-Pusher-Signature") == made, "the signature is not of the bytes that were sent"
        assert int(self.field("Content-Length")) == len(self.body)
        assert type(self.json["time_ms"]) is int and set(self.json) == {"time_ms", "events"}, self.json
        assert len(self.event_ids) == len(self.events) > 0 and all(self.event_ids), (self.event_ids, self.events)


class Connection:
    """One client, on a thread of its own."""

    def __init__(self, receiver: "Receiver", stream: socket.socket, number: int):
        self.receiver, self.stream, self.number = receiver, stream, number
        self.rest = b""

    def serve(self) -> None:
        try:
            if self.receiver.context is not None:
                self.stream.settimeout(DEADLINE)
                self.stream = self.receiver.context.wrap_socket(self.stream, server_side=True)
            self.stream.settimeout(None)
            while (request := self.read()) is not None:
                answer = self.receiver.take(request)
                if answer.act is not None:
                    answer.act(self)
                    request.left_at = time.monotonic()
                    return
                self.pause(answer.delay)
                self.send(answer.encoded())
                request.status = answer.status
                if answer.closes:
                    return
        except ssl.SSLError as error:
            self.receiver.note(self.receiver.handshake_failures, str(error))
        except OSError:
            pass
        except ValueError as error:
            self.receiver.note(self.receiver.faults, str(error))
        finally:
            self.receiver.gone(self)
            self.stream.close()

    def read(self) -> Received | None:
        while b"\r\n\r\n" not in self.rest:
            if not self.more():
                if self.rest:
                    raise ValueError(f"the connection ended within a head: {self.rest!r}")
                return None
        head, _, _ = self.rest.partition(b"\r\n\r\n")
        lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if len(lengths) != 1:
            raise ValueError(f"a request without one length: {head!r}")
        size = len(head) + 4 + int(lengths[0])
        while len(self.rest) < size:
            if not self.more():
                raise ValueError(f"the connection ended within a body: {self.rest!r}")
        raw, self.rest = self.rest[:size], self.rest[size:]
        return Received(raw, time.monotonic(), time.time_ns() // 1_000_000, self.number)

    def more(self) -> bool:
        data = self.stream.recv(65_536)
        self.rest += data
        return bool(data)

    def send(self, data: bytes) -> None:
        self.stream.sendall(data)

    def pause(self, seconds: float) -> None:
        if seconds:
            self.receiver.ending.wait(seconds)

    def wait_for_end(self, seconds: float | None) -> None:
        """Until the client goes."""
        limit = None if seconds is None else time.monotonic() + seconds
        self.stream.settimeout(0.05)
        while not self.receiver.ending.is_set() and (limit is None or time.monotonic() < limit):
            try:
                if not self.more():
                    return
            except TimeoutError:
                pass

    def drip(self, count: int, every: float) -> None:
        self.send(f"HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n".encode())
        for _ in range(count):
            if self.receiver.ending.wait(every):
                return
            self.send(b".")

    def cut(self) -> None:
        """From another thread; of TLS too only what is below it, which knows no state."""
        try:
            socket.socket.shutdown(self.stream, socket.SHUT_RDWR)
        except OSError:
            pass

    def reset(self) -> None:
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Receiver:
    """The server. Its port stays the same over `pause` and `resume`."""

    def __init__(self, pair: dict | None = None, *, host: str = "127.0.0.1", client_ca: str | None = None):
        """`pair`: `{"certificate": …, "key": …}` for HTTPS. `client_ca`: clients must have a certificate of that authority."""
        self.host, self.context = host, None
        if pair is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pair["certificate"], pair["key"])
            if client_ca is not None:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(client_ca)
        self.usual = Answer()
        self.received: list[Received] = []
        self.connections = 0
        # TLS that came to nothing; requests that were none.
        self.handshake_failures: list[str] = []
        self.faults: list[str] = []
        self.ending = threading.Event()
        self._changed = threading.Condition()
        self._next: dict[str | None, list[Answer]] = {}
        self._usual_of: dict[str, Answer] = {}
        self._present: set[Connection] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.resume()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, kind, *_) -> None:
        self.pause()
        if kind is None:
            assert self.faults == [], self.faults

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"http{'s' if self.context else ''}://{host or self.host}:{self.port}{path}"

    # What it says

    def answer(self, *answers: Answer, path: str | None = None) -> None:
        """The answers of the next requests, of those to `path` if it is given; then `usual` again."""
        with self._changed:
            self._next.setdefault(path, []).extend(answers)

    def always(self, answer: Answer, path: str) -> None:
        """The answer of each request to a path."""
        with self._changed:
            self._usual_of[path] = answer

    def take(self, request: Received) -> Answer:
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()
            for path in (request.path, None):
                if waiting := self._next.get(path):
                    return waiting.pop(0)
            return self._usual_of.get(request.path, self.usual)

    def gone(self, connection: Connection) -> None:
        with self._changed:
            self._present.discard(connection)

    def note(self, where: list[str], text: str) -> None:
        with self._changed:
            where.append(text)
            self._changed.notify_all()

    # What came

    def at(self, path: str) -> list[Received]:
        with self._changed:
            return [one for one in self.received if one.path == path]

    def wait(self, count: int, path: str | None = None, timeout: float = DEADLINE * 2) -> list[Received]:
        """All requests (to a path), when there are so many at least."""
        return self.wait_until(
            lambda all: len(all) >= count and all, f"{count} requests{f' to {path}' if path else ''}", path, timeout)

    def wait_events(self, count: int, path: str | None = None, timeout: float = DEADLINE * 2) -> list[dict]:
        """All events of all requests (to a path), when there are so many at least."""
        def events(all):
            found = [event for one in all for event in one.events]
            return len(found) >= count and found
        return self.wait_until(events, f"{count} events{f' to {path}' if path else ''}", path, timeout)

    def wait_until(self, condition, what: str, path: str | None = None, timeout: float = DEADLINE * 2):
        """Waits for `condition(requests)` to be truthy, and gives its value."""
        limit = time.monotonic() + timeout
        with self._changed:
            while True:
                all = [one for one in self.received if path is None or one.path == path]
                if value := condition(all):
                    return value
                left = limit - time.monotonic()
                if left <= 0:
                    shown = [(one.path, one.body[:300]) for one in all]
                    raise AssertionError(f"not within {timeout} s: {what}; there is {shown}, {self.faults}, "
                                         f"{self.handshake_failures}")
                self._changed.wait(left)

    # Coming and going

    def pause(self) -> None:
        """Listens no longer, and ends every connection."""
        self.ending.set()
        with self._changed:
            listener, self._listener = self._listener, None
            present, self._present = self._present, set()
        if listener is not None:
            # `close` alone would leave a thread in `accept` with the socket open.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in present:
            connection.cut()

    def resume(self) -> None:
        """Listens (again), at the same port."""
        listener = socket.create_server((self.host, self.port), backlog=128,
                                        family=socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        self.port = listener.getsockname()[1]
        self.ending = threading.Event()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                if self._listener is not listener:
                    stream.close()
                    return
                self.connections += 1
                connection = Connection(self, stream, self.connections)
                self._present.add(connection)
            threading.Thread(target=connection.serve, daemon=True).start()
