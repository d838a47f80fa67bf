"""Connections that must prove themselves in time (reference §5.2, PW-122). The time is one second."""

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


def test_an_idle_connection_is_closed_4009_after_the_time(broker):
    """PW-122"""
    start = time.monotonic()
    with RawClient(broker) as client:
        expect_thrown_out(client)
        assert TIME * 0.9 <= time.monotonic() - start
        client.expect_end()


def test_what_proves_nothing_does_not_help(broker):
    """PW-122: pings, public channels, refused subscriptions and refused sign-ins"""
    with RawClient(broker) as client:
        client.nothing_until_pong()
        client.subscribe("public")
        client.send_subscribe("private-x", auth="app-key:bad")
        client.send_sign_in('{"id":"u"}', "app-key:bad")
        expect_thrown_out(client)


@pytest.mark.parametrize("proof", ["private-room", "private-encrypted-room", "presence-room", "sign in"])
def test_who_joined_or_signed_in_stays(broker, proof):
    """PW-122: a witness that proves nothing shows that the time is over"""
    with RawClient(broker) as client, RawClient(broker) as witness:
        if proof == "sign in":
            client.sign_in("u1")
        else:
            client.subscribe(proof, user="u1" if proof.startswith("presence") else None)
        expect_thrown_out(witness)
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.5)
        client.nothing_until_pong()


def test_who_left_its_channel_again_stays(broker):
    """PW-122: the proof was given"""
    with RawClient(broker) as client, RawClient(broker) as witness:
        client.subscribe("private-room")
        client.unsubscribe("private-room")
        expect_thrown_out(witness)
        client.nothing_until_pong()


def test_without_the_option_nobody_is_thrown_out(broker):
    """PW-122"""
    with RawClient.of(broker, "open") as client, RawClient(broker) as witness:
        expect_thrown_out(witness)
        client.nothing_until_pong()
