"""How the generator and the health check read responses, beside two other readers of HTTP (PyPI h11, Python's http.client)."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import random
import re
import socket
import subprocess
import threading

import h11
import pytest

from harness import BINARY, DEADLINE, Broker, app
from rawclient import RawClient, text
from test_bench import bench_at

OK = "HTTP/1.1 200 OK\r\n"

# What every reader understands alike.
RESPONSES = {
    "a length": OK + "Content-Length: 5\r\n\r\nhello",
    "nothing": OK + "Content-Length: 0\r\n\r\n",
    "chunks": OK + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
    "chunks that look like responses": OK + f"Transfer-Encoding: chunked\r\n\r\n{len(OK):x}\r\n{OK}\r\n0\r\n\r\n",
    "chunks and trailers": OK + "transfer-encoding:\tChunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n",
    "up to the close": OK + "\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.0": "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "close": OK + "Connection: close\r\nContent-Length: 2\r\n\r\nhi",
    "no content": "HTTP/1.1 204 No Content\r\n\r\n",
    "interim ones before": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 x\r\nX: y\r\n\r\n" + OK + "Content-Length: 1\r\n\r\na",
    "no reason": "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
    "a folded field": OK + "X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    "the same length twice": OK + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    "not modified": "HTTP/1.1 304 Not Modified\r\n\r\n",
    "refused with a length": "HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nhello",
    "refused in chunks": "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 1\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "refused up to the close": "HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\nhello",
}

# What h11 refuses as well.
REFUSED = {
    "two lengths": OK + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length that is none": OK + "Content-Length: +5\r\n\r\nhello",
    "another coding": OK + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": OK + "Content-Length : 5\r\n\r\nhello",
    "no colon": OK + "Content-Length\r\n\r\nhello",
    "no status": "HTTP/1.1 OK\r\n\r\n",
    "not HTTP": "<html></html>\r\n\r\n",
    "no version": "HTTP 200 OK\r\n\r\n",
    "a NUL": OK + "X: \0\r\n\r\n",
}


def read_by_h11(response: bytes) -> tuple[int, bytes]:
    """Status and body; the server closes behind it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(response)
    connection.receive_data(b"")
    status, body = 0, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return status, body


def read_by_python(response: bytes) -> tuple[int, bytes]:
    class Socket:
        def makefile(self, _):
            return io.BytesIO(response)

    reply = http.client.HTTPResponse(Socket(), method="GET")
    reply.begin()
    return reply.status, reply.read()


class Stub:
    """Answers every request with the next response that `choose` gives, in pieces; closes where the response ends so."""

    def __init__(self, choose):
        self.choose = choose
        self.answered: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, connection: socket.socket):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(DEADLINE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            waiting = b""
            while True:
                while b"\r\n\r\n" not in waiting:
                    if not (more := connection.recv(65_536)):
                        return
                    waiting += more
                waiting = waiting[waiting.index(b"\r\n\r\n") + 4:]
                with self.lock:
                    response, pieces = self.choose()
                    self.answered.append(response)
                for piece in pieces:
                    connection.sendall(piece)
                if ends_by_close(response):
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65_536):
                        pass
                    return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def ends_by_close(response: str) -> bool:
    head = response.split("\r\n\r\n")[0]
    if "HTTP/1.0" in head or "Connection: close" in head:
        return True
    return not re.search("content-length|transfer-encoding|HTTP/1.1 [13]|HTTP/1.1 204", head, re.IGNORECASE)


def health(response: str) -> subprocess.CompletedProcess:
    with Stub(lambda: (response, [response.encode()])) as stub:
        return subprocess.run([BINARY, "health", f"http://127.0.0.1:{stub.port}", "--timeout", "5"], capture_output=True,
                              text=True, timeout=DEADLINE)


@pytest.mark.parametrize("name", RESPONSES)
def test_the_health_check_sees_the_status_others_see(name):
    response = RESPONSES[name]
    status, body = read_by_h11(response.encode())
    assert (status, body) == read_by_python(response.encode())
    done = health(response)
    assert done.returncode == (0 if status == 200 else 1), done.stderr
    assert status == 200 or f"the server answered {status}" in done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_the_health_check_refuses_what_others_refuse(name):
    with pytest.raises(h11.RemoteProtocolError):
        read_by_h11(REFUSED[name].encode())
    done = health(REFUSED[name])
    assert done.returncode == 1 and "cannot be read" in done.stderr and "RFC 911" in done.stderr, done.stderr


def test_a_server_that_dribbles_has_no_more_time_than_a_silent_one():
    """Every byte comes in time, all of them never."""
    def dribble(connection):
        with connection, contextlib.suppress(OSError):
            while not ended.wait(0.2):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"[sent[0] % 25:][:1])
                sent[0] += 1

    ended, sent = threading.Event(), [0]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen([BINARY, "health", f"http://127.0.0.1:{listener.getsockname()[1]}", "--timeout", "1"],
                                   stderr=subprocess.PIPE, text=True)
        threading.Thread(target=dribble, args=(listener.accept()[0],), daemon=True).start()
        _, complaint = process.communicate(timeout=DEADLINE)
        ended.set()
    assert process.returncode == 124 and "within 1 s" in complaint


@pytest.mark.parametrize("seed", [1, 2])
def test_the_generator_counts_each_call_as_others_read_it(tmp_path, seed):
    """Responses of every kind one behind the other on few connections: one that is misread shifts all that follow."""
    generator = random.Random(seed)

    def choose():
        response = generator.choice(list(RESPONSES.values()))
        body = response.encode()
        cuts = sorted(generator.sample(range(1, len(body)), generator.randrange(3)))
        return response, [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)])]

    with Stub(choose) as stub:
        _, report = bench_at(stub.port, os.getpid(), tmp_path, "rest", "--in-flight", "3", "--query", "channels")
        answered = list(stub.answered)
    figures = report["figures"]
    accepted = sum(read_by_h11(response.encode())[0] // 100 == 2 for response in answered)
    assert len(answered) == figures["published"] > 100
    assert (figures["accepted"], figures["rejected"]) == (accepted, len(answered) - accepted)


def test_the_generator_tells_what_it_cannot_read(tmp_path):
    response = REFUSED["two lengths"]
    with Stub(lambda: (response, [response.encode()])) as stub:
        status, report = bench_at(stub.port, os.getpid(), tmp_path, "rest", "--in-flight", "1")
    assert status == 1 and report["figures"]["rejected"] == report["figures"]["published"] > 0
    assert any("two different Content-Lengths (RFC 9112 §6.3)" in note for note in report["notes"]), report["notes"]


def test_lists_that_come_in_chunks_are_counted(tmp_path):
    """More channels than one turn lists: the broker answers every `GET /channels` in chunks, busy or not."""
    names = [f"room-{number}" for number in range(5_000)]
    with Broker({"apps": [app(limits={"channelsPerConnection": 10_000})]}) as broker, RawClient(broker) as client:
        frames = b"".join(text({"event": "pusher:subscribe", "data": {"channel": name}}) for name in names)
        writer = threading.Thread(target=client.send_bytes, args=(frames,))
        writer.start()
        for name in names:
            client.expect("pusher_internal:subscription_succeeded", name)
        writer.join()
        _, report = bench_at(broker.port, broker.pid, tmp_path, "rest", "--in-flight", "4", "--query", "channels")
    figures = report["figures"]
    assert figures["accepted"] == figures["published"] > 10 and figures["rejected"] == 0
    assert figures["connections_lost"] == 0
