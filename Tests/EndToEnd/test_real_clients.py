"""A real library through one whole session with three idle periods (reference §10 Q31–Q33, PW-179).

The stories tell more of the real clients; this one is about staying connected. The activity timeout is one second."""

import json
import queue
import time

import pysher
import pytest

from harness import DEADLINE, Broker, app, wait_until

IDLE = 3.2
CHANNELS = ("py-public", "private-py", "presence-py")


@pytest.fixture(scope="module")
def broker():
    with Broker({"pongTimeoutSeconds": 1, "apps": [app(activityTimeoutSeconds=1)]}) as running:
        yield running


def test_pysher_connects_talks_and_stays(broker):
    """PW-179"""
    got: queue.Queue = queue.Queue()

    def collect(kind):
        return lambda data: got.put((kind, data))

    def expect(kind):
        seen, data = got.get(timeout=DEADLINE)
        assert seen == kind, (seen, data)
        return data

    def bind(channel, event):
        channel.bind(event, collect(f"{channel.name} {event}"))

    client = pysher.Pusher("app-key", secret="app-secret", custom_host="127.0.0.1", port=broker.port, secure=False,
                           user_data={"user_id": 10, "user_info": {"name": "Py"}})
    client.connection.bind("pusher:connection_established", collect("connected"))
    client.connection.bind("pusher:error", collect("error"))
    client.connect()
    expect("connected")
    try:
        with broker.client() as friend:
            for name in CHANNELS:
                bind(client.subscribe(name), "ready")
                wait_until(lambda: broker.api("GET", f"/channels/{name}")[1].get("occupied"), f"Pysher is in {name}")
                broker.trigger(name, "ready", "{}")
                expect(f"{name} ready")
            assert broker.api("GET", "/channels/presence-py/users") == (200, {"users": [{"id": "10"}]})
            friend.subscribe("private-py")
            bind(client.channel("private-py"), "client-hello")
            friend.send("client-hello", {"n": 1}, channel="private-py")
            assert expect("private-py client-hello") == '{"n":1}'
            client.channel("private-py").trigger("client-back", {"n": 2})
            assert friend.expect("client-back", "private-py")["data"] == '{"n":2}'
            end = time.monotonic() + IDLE
            with pytest.raises(queue.Empty):
                got.get(timeout=end - time.monotonic())
            for name in CHANNELS:
                bind(client.channel(name), "still")
                broker.trigger(name, "still", {"here": True})
                assert json.loads(expect(f"{name} still")) == {"here": True}
            assert client.connection.state == "connected"
    finally:
        client.disconnect(timeout=DEADLINE)
