"""Who is alive (reference §2.3, §2.4, PW-021…PW-029). The app's activity timeout and the pong wait are one second.

What else proves life, and when exactly a client is pinged or closed, is in HeartbeatTests and LivenessTests, whose time is made by hand."""

import time

import pytest

from harness import Broker, app
from rawclient import CLOSE, PING, PONG, TEXT, RawClient, text

ACTIVITY, PONG_WAIT = 1.0, 1.0
SLACK = 1.5  # timers tick in steps, and the machine is shared


@pytest.fixture(scope="module")
def broker():
    with Broker({"pongTimeoutSeconds": 1, "apps": [app(activityTimeoutSeconds=1)]}) as running:
        yield running


@pytest.mark.parametrize("message", [
    '{"event":"pusher:ping","data":{}}', '{"event":"pusher:ping"}', '{"event":"pusher:ping","data":""}',
    '{"event":"pusher:ping","data":null}', '{"event":"pusher:ping","data":"{}"}', '{"event":"pusher:ping","data":[]}',
    '{"event":"pusher:ping","data":0}', '{"event":"pusher:ping","data":{"a":{"b":[1]}}}',
    ' { "data" : { } , "event" : "pusher:ping" } ', '{"event":"pusher:ping","id":7,"channel":null}',
    '{"event":"pusher\\u003aping"}'])
def test_a_ping_event_is_answered_by_a_pong_event_within_a_second(broker, message):
    """PW-021 PW-022 PW-024"""
    with RawClient(broker) as client:
        client.send_raw(message)
        assert client.receive(timeout=1.0) == {"event": "pusher:pong", "data": "{}"}


@pytest.mark.parametrize("data", [{}, "", "{}", None])
def test_an_unsolicited_pong_event_is_ignored(broker, data):
    """PW-025"""
    with broker.client() as client:
        client.send("pusher:pong", data)
        client.nothing_until_pong()


def read_ping(client: RawClient, timeout: float):
    got = client.read_frame(timeout)
    assert got.opcode == PING and len(got.payload) <= 125, got
    return got


def test_a_silent_client_is_pinged_and_then_closed_4201(broker):
    """PW-026: a PING frame and no pusher:ping event, then the error and the close"""
    start = time.monotonic()
    with RawClient(broker) as client:
        read_ping(client, ACTIVITY + SLACK)
        assert time.monotonic() - start >= ACTIVITY * 0.9, "pinged too early"
        client.expect_error(4201, timeout=PONG_WAIT + SLACK)
        assert time.monotonic() - start >= (ACTIVITY + PONG_WAIT) * 0.9, "closed too early"
        closed = client.expect_close()
        assert closed.code == 4201 and closed.reason and client.last_frames == []
        client.expect_end()


def test_a_client_that_only_answers_pings_with_pong_frames_stays(broker):
    """PW-027: two idle periods; Swift, Java and .NET never send a pong event"""
    with RawClient(broker) as client:
        for _ in range(2):
            client.send_frame(PONG, read_ping(client, ACTIVITY + SLACK).payload)
        client.nothing_until_pong()


def test_broadcast_traffic_neither_keeps_a_client_alive_nor_kills_it(broker):
    """PW-029: soketi's timer ran on what the server sent"""
    with RawClient(broker) as silent, RawClient(broker, answers_pings=True) as polite:
        silent.subscribe("busy")
        polite.subscribe("busy")
        start, code, last = time.monotonic(), None, 0
        while code is None:
            assert time.monotonic() - start < ACTIVITY + PONG_WAIT + SLACK, "the silent client is still there"
            broker.trigger("busy", "tick", "{}")
            polite.expect("tick", "busy")
            while code is None:
                got = silent.read_frame()
                if got.opcode == CLOSE:
                    code = int.from_bytes(got.payload[:2], "big")
                elif got.opcode == TEXT:
                    last = got.event
                    break
        assert code == 4201 and last["event"] in ("tick", "pusher:error"), last
        for _ in range(20):
            broker.trigger("busy", "tick", "{}")
            polite.expect("tick", "busy")
        polite.nothing_until_pong()
