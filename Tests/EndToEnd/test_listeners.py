"""What a broker listens on: several hosts, Unix sockets, and what a supervisor opened (issue 9, section 4)."""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from harness import BINARY, Broker, app, wait_until
from logfmt import lines
from proxies import NGINX, UPGRADE, Nginx
from rawclient import RawClient
from session import DEADLINE

# What a supervisor does: the descriptors behind the names become 3, 4, …, and the variables speak of this process.
LAUNCHER = """
import os, sys
names, descriptors, command = sys.argv[1], [int(x) for x in sys.argv[2].split(",")], sys.argv[3:]
high = [os.dup2(d, 100 + i) for i, d in enumerate(descriptors)]
for i, d in enumerate(high):
    os.dup2(d, 3 + i)
    os.close(d)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
if names:
    os.environ["LISTEN_FDNAMES"] = names
os.execve(command[0], command, os.environ)
"""


def logged(broker: Broker, message: str) -> list[dict]:
    return [line for line in lines(broker.log()) if line["msg"] == message]


def get(address, path="/ready") -> int:
    """The status of an answer over TCP or a Unix socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(address)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply.status


# Several hosts


def test_each_of_several_hosts_is_served_on_the_same_port():
    with Broker(flags=("--host", "127.0.0.2,127.0.0.3", "--loops", "2")) as broker:
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            assert get((host, broker.port)) == 200
        with pytest.raises(ConnectionRefusedError):
            get(("127.0.0.4", broker.port))
        said = logged(broker, "listening")[0]["address"]
        assert said == ",".join(f"127.0.0.{number}:{broker.port}" for number in (1, 2, 3))


def test_two_colons_take_both_families():
    with Broker(flags=("--host", "::")) as broker:
        assert get(("127.0.0.1", broker.port)) == 200
        if "::" not in logged(broker, "listening")[0]["address"]:
            pytest.skip("no IPv6 here")
        assert get(("::1", broker.port)) == 200


# Unix sockets


@pytest.mark.parametrize("loops", [1, 3])
def test_a_unix_socket_serves_all_that_a_port_does(tmp_path, loops):
    path = str(tmp_path / "broker.sock")
    with Broker({"apps": [app()], "logLevel": "debug", "refusalLinesPerSecond": 50},
                flags=("--host", f"unix:{path}?mode=0640", "--loops", str(loops))) as broker:
        assert os.stat(path).st_mode & 0o7777 == 0o640
        assert f"unix:{path}" in logged(broker, "listening")[0]["address"]
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(RawClient(broker, path=path)) for _ in range(2 * loops)]
            clients.append(stack.enter_context(RawClient(broker)))
            for client in clients:
                client.subscribe("room")
            broker.trigger("room", "hello", "{}")
            for client in clients:
                client.expect("hello", "room")
            assert get(path) == 200 and get(path, "/nowhere") == 404
            broker.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: len(logged(broker, "loop")) == loops, "the state")
            # Each loop gets its share of whoever comes by the socket: 2 * loops clients, and those of `get`, which are gone.
            assert all(int(line["connections"]) >= 1 for line in logged(broker, "loop")), logged(broker, "loop")
        assert logged(broker, "refused")[0]["peer"] == "unix"
        assert {line["peer"] for line in logged(broker, "connected")[:2]} == {"unix"}
        broker.begin_drain()
        assert broker.wait_ended() == 0
        assert not os.path.exists(path)


def test_only_a_socket_file_that_nobody_listens_on_is_replaced(tmp_path):
    path = tmp_path / "broker.sock"
    flags = ("--host", f"unix:{path}")
    with Broker(flags=flags) as broker:
        broker.kill()
        assert path.exists(), "left behind"
        broker.start()
        assert get(str(path)) == 200 and path.stat().st_mode & 0o777 == 0o660
        with pytest.raises(RuntimeError, match="69"):
            Broker(flags=flags).start()
        assert get(str(path)) == 200, "the second one has not touched it"
        # Another has its place by the time it ends.
        path.unlink()
        path.write_text("mine")
        broker.begin_drain()
        assert broker.wait_ended() == 0
        assert path.read_text() == "mine"
    with pytest.raises(RuntimeError, match="File exists"):
        Broker(flags=flags).start()


def test_the_health_command_asks_a_unix_socket(tmp_path):
    path = str(tmp_path / "broker.sock")
    command = [BINARY, "health", "--host", f"unix:{path}"]
    with Broker(flags=("--host", f"unix:{path}")):
        assert subprocess.run(command, capture_output=True, timeout=DEADLINE).returncode == 0
    down = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert down.returncode == 1 and path in down.stderr, down


@pytest.mark.skipif(NGINX is None, reason="nginx cannot be had (Debian: nginx-light)")
def test_behind_nginx_a_unix_socket_carries_the_clients_address(tmp_path):
    """`proxy_pass http://unix:…`; trustProxy loopback believes whoever may open the file."""
    path = str(tmp_path / "broker.sock")
    with Broker({"apps": [app()], "trustProxy": ["loopback"], "logLevel": "debug"},
                flags=("--host", f"unix:{path}?mode=0666")) as broker:
        with Nginx(f"location / {{ proxy_pass http://unix:{path}; {UPGRADE} }}") as nginx:
            assert get(("127.0.0.1", nginx.port), "/nowhere") == 404
            broker.port, own = nginx.port, broker.port
            with RawClient(broker) as client:
                client.subscribe("room")
                broker.trigger("room", "hello", "{}")
                client.expect("hello", "room")
            broker.port = own
        assert logged(broker, "refused")[0]["peer"] == "127.0.0.1" and logged(broker, "refused")[0]["via"] == "unix"
        assert logged(broker, "connected")[0]["peer"] == "127.0.0.1"


# Socket activation


class Given:
    """Sockets that were open before the broker."""

    def __init__(self, count: int = 1):
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(count)]
        self.ports = [one.getsockname()[1] for one in self.sockets]

    def __enter__(self) -> "Given":
        return self

    def __exit__(self, *_) -> None:
        for one in self.sockets:
            one.close()

    def broker(self, names: str = "", config: dict | None = None, *, flags: tuple = (), port: int = 0) -> Broker:
        numbers = tuple(one.fileno() for one in self.sockets)
        launcher = (sys.executable, "-c", LAUNCHER, names, ",".join(map(str, numbers)))
        return Broker(config, flags=flags, port=port, launcher=launcher, pass_fds=numbers)


@pytest.mark.parametrize("loops", [1, 2])
def test_given_sockets_are_served_and_nothing_is_bound(loops):
    with Given(2) as given, socket.create_server(("127.0.0.1", 0)) as other:
        # Where the settings would have it listen, somebody else does.
        with given.broker("web:metrics", port=other.getsockname()[1], flags=("--loops", str(loops))) as broker:
            assert broker.port == given.ports[0] and broker.metrics_port == given.ports[1]
            assert "starling_build_info" in broker.metrics()
            with RawClient(broker) as one, RawClient(broker) as two:
                for client in (one, two):
                    client.subscribe("room")
                broker.trigger("room", "hello", "{}")
                for client in (one, two):
                    client.expect("hello", "room")
            environment = pathlib.Path(f"/proc/{broker.pid}/environ").read_bytes()
            assert b"LISTEN_PID" in environment, "the launcher's; that the broker unsets it is no memory of the kernel's"


def test_who_connects_between_two_processes_waits_for_the_second():
    """The supervisor keeps the socket: what waits at the end of one is the next one's."""
    with Given() as given:
        with given.broker() as broker:
            assert get(("127.0.0.1", given.ports[0])) == 200
            broker.begin_drain()
            assert broker.wait_ended() == 0
            early = [socket.create_connection(("127.0.0.1", given.ports[0]), timeout=DEADLINE) for _ in range(20)]
            for one in early:
                one.sendall(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
            broker.start()
            for one in early:
                assert one.recv(65_536).startswith(b"HTTP/1.1 200 ")
                one.close()


def test_what_is_no_listener_is_said():
    with Given() as given:
        given.sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with pytest.raises(RuntimeError, match=r"descriptor 4 of LISTEN_FDS \(b\) is no listening stream socket"):
            given.broker("a:b").start()
    with Given() as given, pytest.raises(RuntimeError, match="a listener is called tls"):
        given.broker("tls").start()
