"""Connections that must prove themselves in time (reference §5.2, PW-122). The time is one second."""

import contextlib
import time

import pytest

from harness import Broker, app, named_app
from rawclient import RawClient
from session import check_error

TIME, SLACK = 1.0, 2.0


@pytest.fixture(scope="module")
def broker():
    strict = {"authorizedConnections": True, "authorizationTimeoutSeconds": 1}
    with Broker({"apps": [app(**strict), named_app("open")]}) as running:
        yield running


def expect_thrown_out(client):
    closed = client.expect_close(TIME + SLACK)
    assert closed.code == 4009 and closed.reason, closed
    errors = [check_error(frame)["code"] for frame in client.last_frames if frame["event"] == "pusher:error"]
    assert errors[-1:] == [4009], client.last_frames


def test_who_proves_nothing_is_closed_4009_after_the_time(broker):
    """PW-122: who idles; pings, public channels, refused subscriptions and refused sign-ins do not help"""
    start = time.monotonic()
    with RawClient(broker) as idle, RawClient(broker) as busy:
        busy.nothing_until_pong()
        busy.subscribe("public")
        busy.send_subscribe("private-x", auth="app-key:bad")
        busy.send_sign_in('{"id":"u"}', "app-key:bad")
        expect_thrown_out(idle)
        assert TIME * 0.9 <= time.monotonic() - start
        idle.expect_end()
        expect_thrown_out(busy)


def test_who_joined_or_signed_in_stays(broker):
    """PW-122: also who left its channel again, and the clients of an app without the option. A witness that proves nothing shows that
    the time is over."""
    with contextlib.ExitStack() as stack:
        proven = {name: stack.enter_context(RawClient(broker)) for name in (
            "private-room", "private-encrypted-room", "presence-room", "sign in", "left")}
        witness = stack.enter_context(RawClient(broker))
        for name, client in proven.items():
            if name == "sign in":
                client.sign_in("u1")
            elif name == "left":
                client.subscribe("private-room")
                client.unsubscribe("private-room")
            else:
                client.subscribe(name, user="u1" if name.startswith("presence") else None)
        proven["an app without the option"] = stack.enter_context(RawClient.of(broker, "open"))
        expect_thrown_out(witness)
        with pytest.raises(TimeoutError):
            proven["private-room"].receive(timeout=0.5)
        for client in proven.values():
            client.nothing_until_pong()
