"""Receivers of webhooks that answer as no server should: each is an endpoint of one app, all are told the same event at once.

What is an answer is taken, what is none is tried again; nobody else is delayed, and nothing is taken for the answer to another request."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib

import pytest

from harness import Broker, app, named_app, wait_until
from receiver import Answer, Connection, Receiver
from session import DEADLINE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LARGEST = 65_536
# So many may an app have.
ENDPOINTS = 16


def says(*parts: bytes, closes: bool = True, pause: float = 0.0) -> Answer:
    """These bytes, with a pause between two; then the end, or nothing more until the client goes."""

    def act(connection: Connection) -> None:
        connection.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.send(part)
            connection.pause(pause)
        if not closes:
            connection.wait_for_end(None)

    return Answer(act=act)


def endless(part: bytes, first: bytes = b"") -> Answer:
    def act(connection: Connection) -> None:
        connection.send(first)
        with contextlib.suppress(OSError):
            while not connection.receiver.ending.is_set():
                connection.send(part * 64)

    return Answer(act=act)


def bytewise(data: bytes, pause: float) -> Answer:
    return says(*(data[at:at + 1] for at in range(len(data))), pause=pause)


def with_body(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


# Which are answers.
TAKEN = {
    "byte by byte": bytewise(OK, 0.002),
    "no reason": says(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    "204 without a length": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "299": says(b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n"),
    "as large as may be": says(with_body(LARGEST)),
    "100 and 103 before it": says(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK),
    "gzip": says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(zlib.compress(b"OK"))
                 + zlib.compress(b"OK")),
    "HTTP/1.0 up to the end": says(b"HTTP/1.0 200 OK\r\n\r\nthanks"),
    "chunks and a trailer": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\nX-Sum: 1\r\n\r\n"),
}
# Which are none, or say no.
REFUSED = {
    "one byte too large": says(with_body(LARGEST + 1)),
    "too large without a length": says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LARGEST + 1)),
    "too large in chunks": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n",
                                *[b"1000\r\n" + b"x" * 4096 + b"\r\n"] * 16, b"0\r\n\r\n"),
    "half a head": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half a body": says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
    "half a chunk": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nOK"),
    "100 without end": endless(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a head without end": endless(b"X-Filler: 0123456789\r\n", b"HTTP/1.1 200 OK\r\n"),
    "a line without end": endless(b"0123456789", b"HTTP/1.1 200 OK\r\nX-Filler: "),
    "a body without end": endless(b"0123456789", b"HTTP/1.1 200 OK\r\n\r\n"),
    "HTTP/2": says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff", closes=False),
    "101": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", closes=False),
    "304": says(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "two lengths": says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\nOK"),
    "a length below zero": says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    "a length beyond all numbers": says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
    "a chunk beyond all numbers": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
    "another coding": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked, gzip\r\n\r\nOK"),
    "status 20": says(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    "status 2000": says(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    "another language": says(b"220 mail.example ESMTP ready\r\n", closes=False),
    "NUL": says(b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n"),
    "nothing but an end": says(),
    "a reset": Answer.reset(),
    "one byte and silence": says(b"H", closes=False),
    "bytes that never suffice": says(*[b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b"x"] * 400], pause=0.05, closes=False),
}
EVERYBODY = {**TAKEN, **REFUSED}
PATHS = {name: f"/{number}" for number, name in enumerate(EVERYBODY)}


@pytest.fixture(scope="module")
def outcome():
    """The requests that each receiver had got when those who say no had got their second one."""
    with Receiver() as hooks, Receiver() as well:
        for name, answer in EVERYBODY.items():
            hooks.always(answer, PATHS[name])
        def endpoint(receiver: Receiver, path: str = "/") -> dict:
            return {"url": receiver.url(path), "events": ["channel_occupied"], "allowPrivate": True, "timeoutSeconds": 1}

        paths, names = list(PATHS.values()), []
        apps = [app(webhooks=[endpoint(well)])]
        for number in range(0, len(paths), ENDPOINTS):
            names.append(f"app-{number}")
            apps.append(named_app(names[-1], webhooks=[endpoint(hooks, path) for path in paths[number:number + ENDPOINTS]]))
        with contextlib.ExitStack() as stack:
            broker = stack.enter_context(Broker({"apps": apps}))
            clients = [stack.enter_context(broker.client_of(name)) for name in names]
            clients.append(stack.enter_context(broker.client()))
            start = time.monotonic()
            for client in clients:
                client.subscribe("one")
            well.wait(1)
            took = time.monotonic() - start
            for name in REFUSED:
                hooks.wait(2, PATHS[name], DEADLINE * 3)
            for name in TAKEN:
                hooks.wait(1, PATHS[name])
            for client in clients:
                client.subscribe("two")
            well.wait(2)
            for name in TAKEN:
                hooks.wait(2, PATHS[name], DEADLINE * 3)
            assert broker.is_running
            yield {name: hooks.at(path) for name, path in PATHS.items()}, took
            hooks.pause()


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_an_answer_is_taken(outcome, name):
    assert [post.events[0]["channel"] for post in outcome[0][name]] == ["one", "two"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_answer_is_tried_again(outcome, name):
    """Byte for byte, and what happened later waits behind it."""
    posts = outcome[0][name]
    assert len(posts) >= 2 and {post.raw for post in posts} == {posts[0].raw}


def test_nobody_else_is_delayed(outcome):
    assert outcome[1] < DEADLINE / 2


def test_an_answer_that_nobody_asked_for_is_none_to_the_next_request():
    """It comes with the first one's, or a moment later; the second request is not answered at all."""
    for pause in (0.0, 0.1):
        with Receiver() as hooks:
            is_sent = threading.Event()

            def act(connection: Connection, pause=pause, is_sent=is_sent) -> None:
                if pause:
                    connection.send(OK)
                    connection.pause(pause)
                    connection.send(OK)
                else:
                    connection.send(OK + OK)
                is_sent.set()
                connection.wait_for_end(None)

            hooks.answer(Answer(act=act), Answer.hang())
            target = {"url": hooks.url(), "events": ["channel_occupied"], "allowPrivate": True, "timeoutSeconds": 1}
            with Broker({"apps": [app(webhooks=[target])]}) as broker, broker.client() as client:
                client.subscribe("one")
                hooks.wait(1)
                assert is_sent.wait(DEADLINE), "it has come when the next request is made"
                client.subscribe("two")
                posts = hooks.wait(3, timeout=DEADLINE * 2)
                assert [post.events[0]["channel"] for post in posts[:3]] == ["one", "two", "two"]


def test_who_accepts_and_never_reads_ends_with_the_time_that_an_attempt_may_take():
    """More waits than the kernel holds; the listener's own queue accepts."""
    with Receiver() as well, socket.create_server(("127.0.0.1", 0)) as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        events = {"events": ["client_event"], "allowPrivate": True, "batchEvents": 1_000, "batchMilliseconds": 300}
        webhooks = [{"url": well.url(), **events},
                    {"url": f"http://127.0.0.1:{mute.getsockname()[1]}/", **events, "timeoutSeconds": 1}]
        limits = {"clientEventsPerSecond": -1}
        with Broker({"apps": [app(webhooks=webhooks, limits=limits)]}) as broker, broker.client() as client:
            client.subscribe("private-loud")
            for _ in range(600):
                client.send("client-loud", "x" * 9_000, channel="private-loud")
            well.wait_events(600)
            accepted = []
            mute.settimeout(DEADLINE)
            for _ in range(2):
                accepted.append(mute.accept()[0])
            accepted[0].settimeout(DEADLINE)
            # The first attempt was given up: its connection ended before the second began.
            size = 0
            with contextlib.suppress(ConnectionResetError):
                while data := accepted[0].recv(1 << 20):
                    size += len(data)
            assert 0 < size < 5_400_000
            wait_until(lambda: broker.is_running, "it serves")
            for one in accepted:
                one.close()


def test_an_answer_before_the_request_has_ended_does_no_harm():
    """200 to the head of a request of megabytes whose body nobody reads, then the end."""
    seen = []

    with Receiver() as well, socket.create_server(("127.0.0.1", 0)) as hasty:
        events = {"events": ["client_event"], "allowPrivate": True, "batchEvents": 1_000, "batchMilliseconds": 300}
        webhooks = [{"url": well.url(), **events},
                    {"url": f"http://127.0.0.1:{hasty.getsockname()[1]}/", **events, "timeoutSeconds": 1}]
        with Broker({"apps": [app(webhooks=webhooks, limits={"clientEventsPerSecond": -1})]}) as broker, broker.client() as client:
            client.subscribe("private-loud")
            for _ in range(600):
                client.send("client-loud", "x" * 9_000, channel="private-loud")
            hasty.settimeout(DEADLINE)
            for _ in range(3):
                connection, _ = hasty.accept()
                with connection:
                    connection.settimeout(DEADLINE)
                    seen.append(connection.recv(4_096))
                    connection.sendall(OK)
            well.wait_events(600)
            assert all(data.startswith(b"POST / HTTP/1.1\r\n") for data in seen) and broker.is_running
