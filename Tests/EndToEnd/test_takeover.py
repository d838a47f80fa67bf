"""One process takes over from another, and nobody who connects notices (issue 9, section 4)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from functools import partial
from types import SimpleNamespace

import pytest

from harness import BINARY, Broker, app, daemon_environment, wait_until
from http_tools import Caller
from logfmt import lines
from paced import Paced
from rawclient import RawClient
from session import DEADLINE


def start(place, *, loops: int, takes_over: bool = False, port: int = 0, flags: tuple = (), **changes) -> Broker:
    flags = ("--takeover-socket", str(place), "--loops", str(loops), *(("--takeover",) if takes_over else ()), *flags)
    return Broker({"shutdownGraceSeconds": 1, "apps": [app()], **changes}, flags=flags, port=port)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "takeover.sock"


def come(port: int, number: int) -> None:
    """Someone connects, with a connection of its own: a WebSocket to its greeting, or HTTP."""
    if number % 2:
        with RawClient(SimpleNamespace(port=port)):
            return
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b""
        while got := connection.recv(65_536):
            answer += got
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]


def test_under_a_storm_of_connects_two_takeovers_refuse_or_reset_nobody(place):
    """Each process has another number of loops than the one before it."""
    first = start(place, loops=2).start()
    try:
        with Paced(partial(come, first.port), 260) as storm:
            for loops in (3, 1):
                begun = len(storm.done)
                wait_until(lambda: len(storm.done) >= begun + 100, "connects before", DEADLINE * 3)
                second = start(place, loops=loops, takes_over=True, port=first.port).start()
                assert second.port == first.port and second.metrics_port == first.metrics_port
                assert first.wait_ended() == 0
                assert [line for line in lines(first.log()) if line["msg"] == "replaced"][0]["pid"] == str(second.pid)
                first.__exit__(None)
                first, begun = second, len(storm.done)
                wait_until(lambda: len(storm.done) >= begun + 100, "connects after", DEADLINE * 3)
    finally:
        first.stop()  # nobody connects any more: whoever came now would rightly be told 503
    print(f"{len(storm.done)} connects at {storm.rate:.0f}/s over two takeovers, faults: {len(storm.faults)}")
    assert storm.faults == [], storm.faults[:5]


def test_clients_of_the_old_process_are_sent_to_the_new_one(place):
    with start(place, loops=2) as old:
        clients = [RawClient(old) for _ in range(10)]
        for client in clients:
            client.subscribe("room")
        with start(place, loops=1, takes_over=True, port=old.port, shutdownGraceSeconds=30) as new:
            for client in clients:
                assert client.expect_close(DEADLINE * 2).code == 4200
                client.close()
            clients = [RawClient(new) for _ in clients]
            assert old.wait_ended() == 0
            for client in clients:
                client.subscribe("room")
            new.trigger("room", "here", "{}")
            for client in clients:
                client.expect("here", "room")
                client.close()


def test_who_had_connected_before_is_let_in_and_then_sent_on(place):
    """The old process has the connection, and its request comes when the new one serves already."""
    with start(place, loops=1, shutdownGraceSeconds=30) as old:
        publisher = Caller(old)
        assert publisher.get("/channels").status == 200
        with RawClient(old) as stays, RawClient(old, handshake=False, request=b"GET /app/app-key?protocol=7 ") as late:
            stays.subscribe("room")
            with start(place, loops=1, takes_over=True, port=old.port) as new:
                wait_until(lambda: "msg=draining" in old.log(), "the old one drains")
                wait_until(lambda: new.request("GET", "/ready", port=new.metrics_port)[0] == 200, "it is left alone")
                for _ in range(20):
                    assert new.request("GET", "/ready", port=new.metrics_port)[0] == 200, "never the old one answers"
                late.send_bytes(b"HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                late.read_upgrade()
                late.greet()
                # Loops begin to drain with their next tick.
                wait_until(lambda: publisher.get("/channels").headers["connection"] == "close", "it asks the new one next")
                publisher.close()
                old.process.send_signal(signal.SIGTERM)
                assert old.wait_ended() == 0


def run_and_fail(broker: Broker, *flags: str, config: str = "{}") -> subprocess.CompletedProcess:
    file = f"{broker.directory.name}/other.json"
    with open(file, "w") as out:
        out.write(config)
    return subprocess.run([BINARY, "serve", "--config", file, "--port", str(broker.port), "--takeover", *flags],
                          env=daemon_environment(), capture_output=True, text=True, timeout=DEADLINE * 3)


def test_a_new_process_that_fails_leaves_the_old_one_serving(place):
    with start(place, loops=2) as old, socket.create_server(("127.0.0.1", 0)) as taken:
        with RawClient(old) as client:
            client.subscribe("room")
            ours = ("--takeover-socket", str(place))
            bad = run_and_fail(old, *ours, "--host", "127.0.0.1", config='{"port": "x"}')
            assert bad.returncode == 78, bad
            late = run_and_fail(old, *ours, "--host", "127.0.0.1", "--metrics-port", str(taken.getsockname()[1]))
            assert late.returncode == 69 and "metrics" in late.stderr, late
            elsewhere = run_and_fail(old, *ours, "--host", "127.0.0.2")
            assert elsewhere.returncode == 69 and "listens on other addresses" in elsewhere.stderr, elsewhere
            wait_until(lambda: old.log().count("serving on") >= 1, "that is said")
            old.trigger("room", "still", "{}")
            client.expect("still", "room")
            for _ in range(8):
                with RawClient(old):
                    pass


def test_a_new_process_that_dies_before_it_is_ready_does_too(place):
    with start(place, loops=2) as old:
        wait_until(place.exists, "the place to be asked at is opened last")
        assert place.stat().st_mode & 0o7777 == 0o600
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(DEADLINE)
            asking.connect(str(place))
            asking.sendall(b"starling-takeover 1\n")
            said, descriptors = b"", []
            while not said.endswith(b"end 3\n"):
                data, more, _, _ = socket.recv_fds(asking, 65_536, 8)
                assert data, said
                said, descriptors = said + data, descriptors + more
            assert len(descriptors) == 3 and said.count(f"listener main 0 {old.port} 127.0.0.1".encode()) == 2, said
            assert said.count(f"listener metrics 0 {old.metrics_port} 127.0.0.1".encode()) == 1, said
            for descriptor in descriptors:
                os.close(descriptor)
        wait_until(lambda: "serving on" in old.log(), "that is said")
        with RawClient(old) as client:
            client.subscribe("room")


def test_nobody_to_take_over_from_is_a_plain_start(place):
    with start(place, loops=1, takes_over=True) as first:
        assert [line for line in lines(first.log()) if line["msg"] == "nobody to take over from"]
        first.kill()
        first.start()
        with RawClient(first) as client:
            client.subscribe("room")
        first.begin_drain()
        assert first.wait_ended() == 0
        assert not place.exists(), "it goes with its process"


def test_a_second_process_does_not_offer_in_the_place_of_the_first(place):
    with start(place, loops=1) as first:
        with pytest.raises(RuntimeError, match="another process offers its own"):
            start(place, loops=1).start()
        with start(place, loops=1, takes_over=True, port=first.port):
            assert first.wait_ended() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_another_user_gets_nothing(place):
    with start(place, loops=1) as broker:
        place.parent.chmod(0o755)
        for parent in list(place.parents)[1:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
        script = ("import os, socket, sys\nos.setgid(65534); os.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
                  "try:\n    s.connect(sys.argv[1])\nexcept PermissionError:\n    sys.exit(3)\n"
                  "try:\n    s.sendall(b'starling-takeover 1\\n'); sys.exit(4 if s.recv(100) else 5)\n"
                  "except (BrokenPipeError, ConnectionResetError):\n    sys.exit(5)\n")
        def ask() -> int:
            return subprocess.run(["python3", "-c", script, str(place)], timeout=DEADLINE).returncode
        assert ask() == 3, "the file's mode"
        place.chmod(0o666)
        assert ask() == 5, "the kernel's word"
        wait_until(lambda: "another user asks to take over" in broker.log(), "that is said")
