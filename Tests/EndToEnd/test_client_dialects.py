"""Sample sessions as each client library speaks them (reference §1.2, §2.3, §3.2, §10, PW-179).

The lines are what the libraries put on the wire. The activity timeout is one second; each session idles for three."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from harness import Broker, app, channel_auth
from rawclient import PING, PONG, TEXT, RawClient, frame

IDLE = 3.2


@dataclass
class Dialect:
    query: str
    headers: dict = field(default_factory=dict)
    early: str | None = None  # written before the handshake frame was read
    subscribe_extra: dict = field(default_factory=dict)  # what it adds on public channels
    keepalive: bytes = b""  # what it sends by itself
    every: float = 10.0  # seconds
    sends_own_user_channel: bool = False
    signs_in: bool = False


def event(text: str) -> bytes:
    return frame(TEXT, text)


DIALECTS = {
    "pusher-js": Dialect(
        "protocol=7&client=js&version=8.6.0&flash=false", {"Origin": "https://app.example",
            "Connection": "keep-alive, Upgrade"},
        subscribe_extra={"auth": ""}, keepalive=event('{"event":"pusher:ping","data":{}}'), every=0.9, signs_in=True,
        sends_own_user_channel=True),
    "Laravel Echo": Dialect(
        "protocol=7&client=js&version=8.4.0-rc2&flash=false", {"Origin": "http://localhost:8000"},
        subscribe_extra={"auth": ""}, keepalive=event('{"event":"pusher:ping","data":{}}'), every=0.9),
    "Swift": Dialect(
        "protocol=7&client=pusher-websocket-swift&version=10.1.5",
        {"Sec-WebSocket-Protocol": "pusher-channels-protocol-7"},
        keepalive=frame(PING), every=0.9),
    "Java": Dialect(
        "client=java-client&protocol=5&version=2.4.4", keepalive=event('{"event": "pusher:ping"}'), every=5.0,
        signs_in=True),
    ".NET": Dialect(
        "protocol=5&client=pusher-dotnet-client&version=2.3.0", keepalive=frame(PING), every=1.0, signs_in=True,
        sends_own_user_channel=True),
    "Pysher": Dialect(
        "client=Pysher&version=0.6.0&protocol=6", early='{"event": "pusher:ping", "data": ""}',
        keepalive=event('{"event": "pusher:ping", "data": ""}'), every=120),
    "libPusher": Dialect("protocol=5&client=libPusher&version=1.6.4", keepalive=b"", every=120),
}


@pytest.fixture(scope="module")
def broker():
    with Broker({"pongTimeoutSeconds": 1, "apps": [app(activityTimeoutSeconds=1)]}) as running:
        yield running


def check(message: dict) -> dict:
    """What the strictest client demands of every frame (Q16, Q17, Q23, Q29)."""
    assert isinstance(message["event"], str) and ("channel" not in message or isinstance(message["channel"],
        str)), message
    assert isinstance(message["data"], str) or message["event"] in ("pusher:error",
        "pusher:subscription_error"), message
    return message


def session(broker, name: str) -> None:
    dialect, room = DIALECTS[name], name.replace(" ", "_").lower()
    early = event(dialect.early) if dialect.early else b""
    with RawClient(broker, query=dialect.query, headers=dialect.headers, pipelined=early) as client, \
            broker.client() as friend:
        assert json.loads(client.hello["data"])["activity_timeout"] == 1
        assert client.headers.get("sec-websocket-protocol") == dialect.headers.get("Sec-WebSocket-Protocol")
        if early:
            check(client.expect("pusher:pong"))
        if dialect.signs_in:
            user = json.dumps({"id": room})
            client.send_sign_in(user)
            assert json.loads(check(client.expect("pusher:signin_success"))["data"])["user_data"] == user
        if dialect.sends_own_user_channel:
            client.send("pusher:subscribe", {**dialect.subscribe_extra, "channel": f"#server-to-user-{room}"})
            client.expect("pusher_internal:subscription_succeeded", f"#server-to-user-{room}")
        client.send("pusher:subscribe", {**dialect.subscribe_extra, "channel": f"public-{room}"})
        assert check(client.expect("pusher_internal:subscription_succeeded", f"public-{room}"))["data"] == "{}"
        friend.subscribe(f"private-{room}")
        friend.join(f"presence-{room}", "friend", {"name": "Friend"})
        auth = channel_auth(client.socket_id, f"private-{room}")
        client.send("pusher:subscribe", {"auth": auth, "channel": f"private-{room}"})
        check(client.expect("pusher_internal:subscription_succeeded", f"private-{room}"))
        presence = json.loads(check(client.subscribe(f"presence-{room}", user=10,
            user_info={"name": "Me"}))["data"])["presence"]
        assert presence["count"] == 2 and set(presence["ids"]) == set(presence["hash"]) == {"friend", "10"}
        friend.expect("pusher_internal:member_added", f"presence-{room}")
        client.send("client-wave", {"to": "friend"}, channel=f"presence-{room}")
        assert check(friend.expect("client-wave"))["user_id"] == "10"
        friend.send("client-back", {"n": 1}, channel=f"private-{room}")
        assert check(client.expect("client-back", f"private-{room}"))["data"] == '{"n":1}'
        idle(client, dialect)
        for channel in (f"public-{room}", f"private-{room}", f"presence-{room}"):
            broker.trigger(channel, "App\\Events\\StillThere", {"channel": channel})
            assert json.loads(check(client.expect("App\\Events\\StillThere", channel))["data"]) == {"channel": channel}
        client.send("pusher:unsubscribe", {"channel": f"presence-{room}"})
        assert friend.receive()["event"] in ("client-wave", "App\\Events\\StillThere")


def idle(client, dialect: Dialect) -> None:
    """Three idle periods: sends only what the library sends by itself, answers PING frames as every stack does."""
    end, due = time.monotonic() + IDLE, time.monotonic() + dialect.every
    while (now := time.monotonic()) < end:
        if now >= due:
            client.send_bytes(dialect.keepalive)
            due += dialect.every
        try:
            got = client.read_frame(timeout=max(0.0, min(due, end) - time.monotonic()))
        except TimeoutError:
            continue
        if got.opcode == PING:
            client.send_frame(PONG, got.payload)
        else:
            assert got.opcode == PONG or got.event == {"event": "pusher:pong", "data": "{}"}, got


@pytest.fixture(scope="module")
def sessions(broker):
    """All sessions at once, so that their idle periods pass together."""
    with ThreadPoolExecutor(len(DIALECTS)) as pool:
        yield {name: pool.submit(session, broker, name) for name in DIALECTS}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_sample_session_stays_connected(sessions, name):
    """PW-179 PW-025 PW-027 PW-028"""
    sessions[name].result(timeout=60)
