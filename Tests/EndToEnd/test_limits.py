"""Limits of time, rate and number (PW §11, Appendix C)."""

import re
import select
import socket
import time

import pytest

from harness import Broker, app, wait_until
from http_tools import Caller, Raw, assert_error, assert_success, plain
from signing import target


def limited(**limits) -> Broker:
    other = {"id": "2", "key": "other-key", "secret": "other-secret"}
    return Broker({"apps": [app(limits=limits), other]})


def burst(call, cost: int, limit: int) -> int:
    """Calls until the first 429, which must come soon; gives the number of points that were served."""
    began, served = time.monotonic(), 0
    while True:
        reply = call()
        if reply.status == 429:
            assert_error(reply, 429)
            assert re.fullmatch(r"[1-9]\d*", reply.headers["retry-after"]), reply.headers
            return served
        assert_success(reply)
        served += cost
        allowed = limit * (2 + time.monotonic() - began)  # a window's edge may lie inside the burst
        assert served <= allowed, f"{served} points served of {limit} per second"


def test_pw_138_backend_events_per_second_is_429_with_retry_after():
    """PW-138 (§6.9, Appendix C): one point per channel; reads are free; another app is not touched; it passes."""
    with limited(backendEventsPerSecond=5) as broker, broker.client() as client:
        client.subscribe("rate")
        call = Caller(broker)
        served = burst(lambda: call.publish(channel="rate"), 1, 5)
        assert served >= 5
        for _ in range(20):
            assert_success(call.get("/channels"))
        other = Caller(broker, app_id="2", key="other-key", secret="other-secret")
        for _ in range(20):
            assert_success(other.publish(channel="rate"))
        for _ in range(served):
            client.expect("e", "rate")
        client.nothing_until_pong()
        wait_until(lambda: call.publish(channel="rate").status == 200, "a publish after the window", timeout=5)


def test_pw_138_a_publish_costs_a_point_per_channel_and_a_batch_their_sum():
    """PW-138 (Appendix C)"""
    with limited(backendEventsPerSecond=20) as broker:
        call = Caller(broker)
        channels = [f"c{n}" for n in range(10)]
        assert burst(lambda: call.publish(channels=channels), 10, 20) >= 20
    with limited(backendEventsPerSecond=20) as broker:
        call = Caller(broker)
        items = [{"name": "e", "channel": "c", "data": "d"}] * 10
        assert burst(lambda: call("POST", "/batch_events", {"batch": items}), 10, 20) >= 20


def test_pw_138_a_batch_over_the_rate_publishes_nothing():
    """PW-138, PW-151: all or nothing holds for the rate as well."""
    with limited(backendEventsPerSecond=5) as broker, broker.client() as client:
        client.subscribe("rate")
        items = [{"name": "e", "channel": "rate", "data": "d"}] * 10
        assert_error(Caller(broker)("POST", "/batch_events", {"batch": items}), 429)
        client.nothing_until_pong()


@pytest.mark.parametrize("path", ["/channels", "/channels/c", "/channels/presence-c/users"])
def test_pw_138_read_requests_per_second_is_429_with_retry_after(path):
    """PW-138 (Appendix C): publishes are not reads."""
    with limited(readRequestsPerSecond=3) as broker:
        call = Caller(broker)
        assert burst(lambda: call.get(path), 1, 3) >= 3
        for _ in range(10):
            assert_success(call.publish(channel="x"))
        if path == "/channels":  # what all paths share
            wait_until(lambda: call.get(path).status == 200, "a read after the window", timeout=5)


def test_pw_138_a_refused_signature_spends_no_points():
    """PW-138: a stranger cannot use up the app's rate."""
    with limited(backendEventsPerSecond=3, readRequestsPerSecond=3) as broker:
        stranger = Caller(broker, secret="guess")
        for _ in range(20):
            assert_error(stranger.publish(channel="x"), 401)
            assert_error(stranger.get("/channels"), 401)
        assert_success(Caller(broker).publish(channel="x"))
        assert_success(Caller(broker).get("/channels"))


def test_pw_136_messages_per_day_is_403():
    """PW-136 (§6.9): counted per channel-event; what is over is refused whole; reads go on."""
    with limited(messagesPerDay=5) as broker, broker.client() as client:
        client.subscribe("quota")
        call = Caller(broker)
        assert_success(call.publish(channels=["quota", "a", "b"]))
        assert_error(call.publish(channels=["quota", "a", "b"]), 403)
        assert_success(call.publish(channels=["quota", "a"]))
        assert_error(call.publish(channel="quota"), 403)
        assert_error(call("POST", "/batch_events", {"batch": [{"name": "e", "channel": "quota", "data": "d"}]}), 403)
        assert_success(call.get("/channels"))
        for _ in range(2):
            client.expect("e", "quota")
        client.nothing_until_pong()


def test_pw_011_the_connection_quota_refuses_the_next_and_api_calls_do_not_count():
    """PW-011, PW-136: quota 2; Reverb's route agrees; a place that becomes free is given away again."""
    with limited(connections=2) as broker:
        call = Caller(broker)
        with broker.client() as first, broker.client():
            assert assert_success(call.get("/connections")) == {"connections": 2}
            with broker.client(handshake=False) as third:
                assert third.receive()["data"]["code"] == 4004
                assert third.expect_close().code == 4004
            assert assert_success(call.get("/connections")) == {"connections": 2}
            first.close()

            def admitted() -> bool:
                with broker.client(handshake=False) as again:
                    return again.receive()["event"] == "pusher:connection_established"

            wait_until(admitted, "the freed place")


def test_pw_011_the_channel_quota_refuses_a_new_channel_and_nothing_else():
    """PW-011 by analogy (§3.4: a refused subscription never closes): quota 2 occupied channels."""
    with limited(channels=2) as broker, broker.client() as client, broker.client() as second:
        client.subscribe("one")
        client.subscribe("two")
        second.subscribe("one")
        second.send_subscribe("three")
        refusal = second.receive()
        assert refusal["event"] in ("pusher:subscription_error", "pusher:error"), refusal
        assert "three" in str(refusal)
        assert set(assert_success(Caller(broker).get("/channels"))["channels"]) == {"one", "two"}
        assert_success(Caller(broker).publish(channels=["one", "three"]))
        while (frame := second.receive())["event"] != "e":
            assert frame["event"] in ("pusher:subscription_error", "pusher:error"), frame
        assert frame["channel"] == "one"
        client.expect("e", "one")
        client.unsubscribe("two")
        client.nothing_until_pong()
        second.subscribe("three")


# Large replies


@pytest.fixture(scope="module")
def crowded():
    """A broker whose channel list is a reply of about 470 kB: more than one connection may leave unsent."""
    with Broker({"apps": [app()]}) as broker, broker.client() as client:
        for number in range(2_500):
            client.subscribe(f"crowd-{number}-" + "x" * 150)
        yield broker


def resident_bytes(broker: Broker) -> int:
    with open(f"/proc/{broker.pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) * 1024


def narrow(broker: Broker) -> Raw:
    """A caller behind a thin line: its receive window is the smallest the kernel grants."""
    connection = Raw(broker)
    connection.socket.close()
    connection.socket = socket.socket()
    connection.socket.settimeout(5)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.connect(("127.0.0.1", broker.port))
    return connection


def test_pw_158_a_large_reply_reaches_a_caller_behind_a_thin_line(crowded):
    """PW-158: a reply larger than the backlog of a client is not cut."""
    with narrow(crowded) as connection:
        reply = connection.send(plain("GET", target("GET", "/apps/1/channels"))).reply()
        assert len(assert_success(reply)["channels"]) == 2_500


def test_pw_154_pipelined_large_replies_arrive_one_after_the_other(crowded):
    """PW-154, PW-158: twenty requests in one write; the replies together are far more than a backlog."""
    with Raw(crowded) as connection:
        connection.send(plain("GET", target("GET", "/apps/1/channels")) * 20)
        for _ in range(20):
            assert len(assert_success(connection.reply())["channels"]) == 2_500


@pytest.mark.memory
def test_pw_154_pipelined_large_replies_that_nobody_reads_cost_no_memory(crowded):
    """PW-154, B6: at most 32 MiB, and others are served."""
    before = resident_bytes(crowded)
    with narrow(crowded) as connection:
        connection.send(plain("GET", target("GET", "/apps/1/channels")) * 200)
        for _ in range(20):
            assert_success(Caller(crowded).publish(channel="x"))
        assert resident_bytes(crowded) - before <= 32 << 20


# Slow peers


class Dribble:
    """One hostile connection: `opening` at once, then one byte of `endless` at each tick, until the broker closes it."""

    def __init__(self, broker: Broker, opening: bytes, endless: bytes):
        self.raw = Raw(broker)
        self.raw.send(opening)
        self.endless, self.closed_after = endless, None

    def tick(self, elapsed: float) -> None:
        """Called when readable or due for its next byte."""
        if self.closed_after is not None:
            return
        try:
            if self.endless:
                self.raw.send(self.endless)
            while self.raw.socket in select.select([self.raw.socket], [], [], 0)[0]:
                if not self.raw._fill():
                    self.closed_after = elapsed
                    return
        except (BrokenPipeError, ConnectionResetError):
            self.closed_after = elapsed


SLOW = {
    "one byte": (b"G", b""), "slow head": (b"GET /ready HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
    "slow request line": (b"GET /", b"a"), "a byte behind empty lines": (b"\r\n\r\nG", b""),
    "slow body": (plain("POST", "/apps/1/events", "Content-Length: 5000"), b"a"),
    "no body": (plain("POST", "/apps/1/events", "Content-Length: 5"), b""),
    "slow chunks": (plain("POST", "/apps/1/events", "Transfer-Encoding: chunked"), b"1\r\na\r\n"),
    "no chunk": (plain("POST", "/apps/1/events", "Transfer-Encoding: chunked", "Expect: 100-continue"), b""),
    "second request": (plain() + b"GET /ready HTTP/1.1\r\nX", b"a"),
}


@pytest.mark.timeout(60)
def test_pw_154_slow_peers_are_closed_within_ten_seconds_while_others_are_served():
    """PW-154, B5: 20 connections of each kind; the head has 5 s. A caller that is merely idle is not a slow one."""
    with Broker({"apps": [app()]}) as broker, broker.client() as client:
        client.subscribe("meanwhile")
        idle = [Raw(broker) for _ in range(4)]
        assert idle[0].send(plain()).reply().status == 200
        assert idle[1].send(plain() + b"\r\n").reply().status == 200
        idle[2].send(b"\r\n")
        began = time.monotonic()
        dribbles = {name: [Dribble(broker, *kind) for _ in range(20)] for name, kind in SLOW.items()}
        everyone = [each for group in dribbles.values() for each in group]
        latencies, call = [], Caller(broker)
        while (elapsed := time.monotonic() - began) < 11 and any(each.closed_after is None for each in everyone):
            waiting = [each.raw.socket for each in everyone if each.closed_after is None]
            select.select(waiting, [], [], 0.25)  # the pace of the dribble
            for each in everyone:
                each.tick(time.monotonic() - began)
            asked = time.monotonic()
            assert_success(call.publish(channel="meanwhile"))
            client.expect("e", "meanwhile")
            latencies.append(time.monotonic() - asked)
        open_still = {name: sum(each.closed_after is None for each in group) for name, group in dribbles.items()}
        assert not any(open_still.values()), f"open after {elapsed:.0f} s: {open_still}"
        assert sorted(latencies)[len(latencies) * 99 // 100] < 0.5, latencies
        for each in idle:
            assert each.send(plain()).reply().status == 200, "a connection without a request lives for at least 60 s"
        for each in everyone:
            each.raw.socket.close()
        for each in idle:
            each.socket.close()


@pytest.mark.parametrize("kind", ["websocket handshake", "half a head"])
def test_pw_185_connections_that_never_speak_are_no_clients(kind):
    """PW-185, PW-020, B5: they are not counted, and do not keep the broker from stopping."""
    with Broker({"apps": [app(limits={"connections": 1})]}) as broker:
        quiet = [Raw(broker) for _ in range(20)]
        for each in quiet:
            each.send(b"GET /app/app-key?protocol=7 HTTP/1.1\r\nUpgrade: websocket\r\n" if kind.startswith("web") else b"GET /")
        assert assert_success(Caller(broker).get("/connections")) == {"connections": 0}
        with broker.client() as client:
            client.nothing_until_pong()
        for each in quiet:
            each.socket.close()
