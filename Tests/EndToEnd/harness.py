"""Starts a real Starling on a free port and speaks to it over real sockets.

Every end-to-end test goes through this file, so that none of them has its own idea of how a broker is started, how a
request is signed, or how long to wait. Nothing here sleeps to synchronise: it waits for the event with a deadline.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from websockets.sync.client import connect as ws_connect

from session import DEADLINE, Closed, Session
from signing import channel_auth, target, user_auth  # noqa: F401 (part of this file's surface)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("STARLING", str(ROOT / ".build" / "release" / "starling"))

DEFAULT_APP = {"id": "app-id", "aliases": ["1"], "key": "app-key", "secret": "app-secret", "clientEvents": True}


def app(**changes) -> dict:
    """The default app with changes; `limits` are merged."""
    merged = {**DEFAULT_APP, **changes}
    return merged


def named_app(name: str, **changes) -> dict:
    """Another app of the same broker: id NAME, key NAME-key, secret NAME-secret."""
    return {"id": name, "key": f"{name}-key", "secret": f"{name}-secret", "clientEvents": True, **changes}


def credentials(name: str) -> dict:
    """What `api` and `trigger` need to call as `named_app(name)`."""
    return {"app_id": name, "key": f"{name}-key", "secret": f"{name}-secret"}


def daemon_environment(**variables: str) -> dict:
    """The whole environment of a Starling process: `variables`, and what the sanitizers need (Tests/run)."""
    names = ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
    # Any port, because many brokers run at once.
    metrics = {"STARLING_METRICS_PORT": "0"}
    environment = {name: os.environ[name] for name in names if name in os.environ} | metrics | variables
    # For the daemon alone: Python must not load it.
    preloads = [text for text in (os.environ.get("STARLING_PRELOAD"), variables.get("LD_PRELOAD")) if text]
    return environment | ({"LD_PRELOAD": ":".join(preloads)} if preloads else {})


class Broker:
    """One broker process. Use as a context manager."""

    def __init__(self, config: dict | None = None, *, flags: tuple = (), env: dict | None = None, port: int = 0,
                 launcher: tuple = (), pass_fds: tuple = ()):
        """`launcher` stands before the command and starts it, with `pass_fds` as this process has them."""
        self.launcher, self.pass_fds = list(launcher), pass_fds
        self.config = config if config is not None else {"apps": [app()]}
        self.flags, self.env, self.port = list(flags), env or {}, port
        self.process: subprocess.Popen | None = None
        self.directory = tempfile.TemporaryDirectory(prefix="starling-test-")

    def __enter__(self) -> "Broker":
        return self.start()

    def start(self) -> "Broker":
        home = pathlib.Path(self.directory.name)
        file, ready = home / "config.json", home / "ready.json"
        file.write_text(json.dumps(self.config))
        ready.unlink(missing_ok=True)
        self.log_path = home / "broker.log"
        environment = daemon_environment(HOME=str(home), **self.env)
        command = [*self.launcher, BINARY, "serve", "--config", str(file), "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--ready-file", str(ready), *self.flags]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=home,
                                            pass_fds=self.pass_fds)
        limit = time.monotonic() + DEADLINE * 3
        while time.monotonic() < limit:
            if ready.exists() and ready.read_text().endswith("\n"):
                said = json.loads(ready.read_text())
                self.port, self.metrics_port = said["port"], said.get("metricsPort")
                return self
            if self.process.poll() is not None:
                raise RuntimeError(f"broker ended with {self.process.returncode}:\n{self.log()}")
            select_nothing()
        raise TimeoutError("broker not ready:\n" + self.log())

    def __exit__(self, kind, *_):
        code = self.stop()
        log = self.log()
        self.directory.cleanup()
        if (at := log.find("Sanitizer")) >= 0:
            raise AssertionError("the broker's log holds a sanitizer report:\n" + log[max(0, at - 200):at + 6_000])
        if kind is None and code not in (0, -signal.SIGKILL):
            raise AssertionError(f"broker ended with {code}")

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            # The first begins the drain, another ends it at once; to the kernel two that wait to be heard are one.
            deadline = time.monotonic() + DEADLINE * 3
            while time.monotonic() < deadline:
                try:
                    self.process.send_signal(signal.SIGTERM)
                    self.process.wait(timeout=0.05)
                    break
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
        code = self.process.wait(timeout=1)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9; the port stays ours for a restart with `start()`."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def begin_drain(self) -> None:
        """One SIGTERM: the broker says goodbye to its clients within the grace period, then ends."""
        self.process.send_signal(signal.SIGTERM)

    def wait_ended(self, timeout: float = DEADLINE * 3) -> int:
        """Waits for the process to end by itself and gives its exit code; `start()` then reuses the port."""
        code = self.process.wait(timeout=timeout)
        self.process = None
        return code

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_suspended(self) -> bool:
        """Stopped by SIGSTOP; the signal takes effect some time after it was sent."""
        return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def resident_bytes(self) -> int:
        """The memory the process holds now."""
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many descriptors the process holds now."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ws_url(self, key: str = "app-key", query: str = "protocol=7&client=test&version=1.0", prefix: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}{prefix}/app/{key}" + (f"?{query}" if query else "")

    def client(self, **options) -> "Client":
        return Client(self, **options)

    def client_of(self, name: str, **options) -> "Client":
        """A client of `named_app(name)`."""
        return Client(self, **credentials(name), **options)

    # HTTP API

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None, port: int = 0):
        """One HTTP request; gives (status, headers, body bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def metrics(self, **headers: str) -> str:
        """The page of metrics."""
        status, _, page = self.request("GET", "/metrics", headers=headers, port=self.metrics_port)
        assert status == 200, (status, page)
        return page.decode()

    def api(self, method: str, path: str, body=None, *, params=None, app_id="1", key="app-key", secret="app-secret"):
        """A signed API call below /apps/{id}; gives (status, parsed JSON or bytes)."""
        raw = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = target(method, f"/apps/{app_id}{path}", raw, params or {}, key=key, secret=secret)
        status, _, reply = self.request(method, signed, raw, {"Content-Type": "application/json"} if raw else {})
        try:
            return status, json.loads(reply)
        except ValueError:
            return status, reply

    def trigger(self, channels, name, data, **members):
        """Publishes; `data` is sent as given when it is a string, else as its JSON text. Asserts success."""
        channels = [channels] if isinstance(channels, str) else channels
        text = data if isinstance(data, str) else json.dumps(data)
        signer = {k: members.pop(k) for k in ("app_id", "key", "secret") if k in members}
        body = {"name": name, "channels": channels, "data": text, **members}
        status, reply = self.api("POST", "/events", body, **signer)
        assert status == 200, (status, reply)
        return reply


def select_nothing() -> None:
    """One short pause inside a wait-until loop that has a deadline; the kernel offers no event for what is awaited."""
    import select

    select.select([], [], [], 0.01)


def wait_until(condition, what: str, timeout: float = DEADLINE):
    """Waits for `condition()` to be truthy and gives its value. For states that only a query can show."""
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        if value := condition():
            return value
        select_nothing()
    raise AssertionError(f"not within {timeout} s: {what}")


class Client(Session):
    """A plain Pusher client on the `websockets` library: what goes over the wire is what the test wrote."""

    def __init__(self, broker: Broker, *, key="app-key", query="protocol=7&client=test&version=1.0", prefix="",
                 secret="app-secret", app_id="1", handshake=True, ping_interval=None, **options):
        self.broker, self.key, self.secret, self.app_id = broker, key, secret, app_id
        options.setdefault("proxy", None)
        self.socket = ws_connect(broker.ws_url(key, query, prefix), compression=None, open_timeout=DEADLINE,
                                 ping_interval=ping_interval, close_timeout=2, max_size=2**24, legacy=True, **options)
        self.early: list[dict] = []
        if handshake:
            self.greet()

    def close(self):
        self.socket.close()

    def abort(self):
        """TCP reset: no close frame."""
        import socket
        import struct

        self.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.socket.close()

    def send_raw(self, text):
        self.socket.send(text)

    def receive(self, timeout: float = DEADLINE) -> dict:
        """The next frame, parsed. TimeoutError if none comes; Closed if the broker closed."""
        from websockets.exceptions import ConnectionClosed

        if self.early:
            return self.early.pop(0)
        try:
            return json.loads(self.socket.recv(timeout=timeout))
        except ConnectionClosed as closed:
            received = closed.rcvd
            raise Closed(received.code if received else 1006, received.reason if received else "") from None
