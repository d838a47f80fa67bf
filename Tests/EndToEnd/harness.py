"""Starts a real Starling on a free port and speaks to it over real sockets.

Every end-to-end test goes through this file, so that none of them has its own idea of how a broker is started, how a
request is signed, or how long to wait. Nothing here sleeps to synchronise: it waits for the event with a deadline.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.parse

from websockets.sync.client import connect as ws_connect

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("STARLING", str(ROOT / ".build" / "release" / "starling"))
DEADLINE = float(os.environ.get("STARLING_TEST_DEADLINE", "10"))

DEFAULT_APP = {"id": "app-id", "aliases": ["1"], "key": "app-key", "secret": "app-secret", "clientEvents": True}


def app(**changes) -> dict:
    """The default app with changes; `limits` are merged."""
    merged = {**DEFAULT_APP, **changes}
    return merged


class Broker:
    """One broker process. Use as a context manager."""

    def __init__(self, config: dict | None = None, *, flags: tuple = (), env: dict | None = None, port: int = 0):
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
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), **self.env}
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        command = [BINARY, "serve", "--config", str(file), "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--ready-file", str(ready), *self.flags]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=home)
        limit = time.monotonic() + DEADLINE * 3
        while time.monotonic() < limit:
            if ready.exists() and ready.read_text().endswith("\n"):
                self.port = json.loads(ready.read_text())["port"]
                return self
            if self.process.poll() is not None:
                raise RuntimeError(f"broker ended with {self.process.returncode}:\n{self.log()}")
            select_nothing()
        raise TimeoutError("broker not ready:\n" + self.log())

    def __exit__(self, kind, *_):
        code = self.stop()
        self.directory.cleanup()
        if kind is None and code not in (0, -signal.SIGKILL):
            raise AssertionError(f"broker ended with {code}")

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            # Two: the first begins the drain, the second ends it at once.
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.send_signal(signal.SIGTERM)
            except ProcessLookupError:
                pass
        code = self.process.wait(timeout=DEADLINE * 3)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9; the port stays ours for a restart with `start()`."""
        self.process.kill()
        self.process.wait()
        self.process = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ws_url(self, key: str = "app-key", query: str = "protocol=7&client=test&version=1.0", prefix: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}{prefix}/app/{key}" + (f"?{query}" if query else "")

    def client(self, **options) -> "Client":
        return Client(self, **options)

    # HTTP API

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None):
        """One HTTP request; gives (status, headers, body bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def api(self, method: str, path: str, body=None, *, params=None, app_id="1", key="app-key", secret="app-secret"):
        """A signed API call below /apps/{id}; gives (status, parsed JSON or bytes)."""
        raw = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        target = sign(method, f"/apps/{app_id}{path}", raw, params or {}, key, secret)
        status, _, reply = self.request(method, target, raw, {"Content-Type": "application/json"} if raw else {})
        try:
            return status, json.loads(reply)
        except ValueError:
            return status, reply

    def trigger(self, channels, name, data, **members):
        """Publishes; `data` is sent as given when it is a string, else as its JSON text. Asserts success."""
        channels = [channels] if isinstance(channels, str) else channels
        text = data if isinstance(data, str) else json.dumps(data)
        credentials = {k: members.pop(k) for k in ("app_id", "key", "secret") if k in members}
        body = {"name": name, "channels": channels, "data": text, **members}
        status, reply = self.api("POST", "/events", body, **credentials)
        assert status == 200, (status, reply)
        return reply


def select_nothing() -> None:
    """One short pause inside a wait-until loop that has a deadline; the kernel offers no event for what is awaited."""
    import select

    select.select([], [], [], 0.01)


def sign(method: str, path: str, body: bytes | None, params: dict, key: str, secret: str, **changes) -> str:
    """The signed request target. `changes` overrides or (with None) removes auth parameters."""
    query = {**params, "auth_key": key, "auth_timestamp": str(int(time.time())), "auth_version": "1.0"}
    if body:
        query["body_md5"] = hashlib.md5(body).hexdigest()
    query.update(changes)
    query = {k: v for k, v in query.items() if v is not None}
    canonical = "&".join(f"{k.lower()}={v}" for k, v in sorted(query.items(), key=lambda item: item[0].lower()))
    digest = hmac.new(secret.encode(), f"{method}\n{path}\n{canonical}".encode(), hashlib.sha256).hexdigest()
    return path + "?" + urllib.parse.urlencode({**query, "auth_signature": digest}, quote_via=urllib.parse.quote)


def channel_auth(socket_id: str, channel: str, data: str | None = None, key="app-key", secret="app-secret") -> str:
    text = f"{socket_id}:{channel}" + (f":{data}" if data else "")
    return key + ":" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def user_auth(socket_id: str, user_data: str, key="app-key", secret="app-secret") -> str:
    text = f"{socket_id}::user::{user_data}"
    return key + ":" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Closed(Exception):
    """The broker closed the socket."""

    def __init__(self, code, reason):
        super().__init__(f"closed {code} {reason!r}")
        self.code, self.reason = code, reason


class Client:
    """A plain Pusher client on the `websockets` library: what goes over the wire is what the test wrote."""

    def __init__(self, broker: Broker, *, key="app-key", query="protocol=7&client=test&version=1.0", prefix="",
                 secret="app-secret", handshake=True, ping_interval=None, **options):
        self.broker, self.key, self.secret = broker, key, secret
        self.socket = ws_connect(broker.ws_url(key, query, prefix), compression=None, open_timeout=DEADLINE,
                                 ping_interval=ping_interval, close_timeout=2, max_size=2**24, **options)
        self.early: list[dict] = []
        self.socket_id = None
        if handshake:
            self.hello = self.receive()
            assert self.hello["event"] == "pusher:connection_established", self.hello
            self.socket_id = json.loads(self.hello["data"])["socket_id"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def abort(self):
        """TCP reset: no close frame."""
        import socket
        import struct

        self.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.socket.close()

    def send(self, event, data=None, **members):
        message = {"event": event, **({} if data is None else {"data": data}), **members}
        self.socket.send(json.dumps(message))

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

    def expect(self, event: str, channel: str | None = None, timeout: float = DEADLINE) -> dict:
        """The next frame, which must be this event (and channel)."""
        frame = self.receive(timeout)
        assert frame["event"] == event and (channel is None or frame.get("channel") == channel), frame
        return frame

    def expect_close(self, timeout: float = DEADLINE) -> Closed:
        """Reads until the close frame; gives its code and reason. Frames before it are kept in `last_frames`."""
        self.last_frames = []
        limit = time.monotonic() + timeout
        while True:
            try:
                self.last_frames.append(self.receive(max(0.01, limit - time.monotonic())))
            except Closed as closed:
                return closed

    def nothing_until_pong(self) -> None:
        """Proves that nothing was queued for this client: the next frame is the answer to a ping sent now."""
        self.send("pusher:ping", {})
        self.expect("pusher:pong")

    def frames_until_pong(self) -> list[dict]:
        """Everything queued for this client before the answer to a ping sent now."""
        self.send("pusher:ping", {})
        frames = []
        while (frame := self.receive())["event"] != "pusher:pong":
            frames.append(frame)
        return frames

    def subscribe(self, channel: str, channel_data=None, *, user=None, user_info=None, auth=None) -> dict:
        """Subscribes, signing when the name asks for it, and returns the subscription_succeeded frame."""
        self.send_subscribe(channel, channel_data, user=user, user_info=user_info, auth=auth)
        return self.expect("pusher_internal:subscription_succeeded", channel)

    def send_subscribe(self, channel: str, channel_data=None, *, user=None, user_info=None, auth=None) -> None:
        data: dict = {"channel": channel}
        if user is not None:
            channel_data = json.dumps({"user_id": user, **({} if user_info is None else {"user_info": user_info})})
        if channel_data is not None:
            data["channel_data"] = channel_data
        if auth is not None:
            data["auth"] = auth
        elif channel.startswith(("private-", "presence-")):
            data["auth"] = channel_auth(self.socket_id, channel, channel_data, self.key, self.secret)
        self.send("pusher:subscribe", data)

    def unsubscribe(self, channel: str) -> None:
        self.send("pusher:unsubscribe", {"channel": channel})

    def sign_in(self, user_id, *, user_info=None, watchlist=None) -> dict:
        user = {"id": user_id}
        if user_info is not None:
            user["user_info"] = user_info
        if watchlist is not None:
            user["watchlist"] = watchlist
        text = json.dumps(user)
        self.send("pusher:signin", {"auth": user_auth(self.socket_id, text, self.key, self.secret), "user_data": text})
        return self.expect("pusher:signin_success")
