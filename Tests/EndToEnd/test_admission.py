"""Who is let in, and how a refusal looks (reference §1.4, PW-009…PW-012, PW-016, PW-018, PW-020)."""

import pytest

from harness import Broker, app, credentials, named_app, wait_until
from rawclient import RawClient, text
from session import Closed

GOOD = "https://good.example"


@pytest.fixture(scope="module")
def broker():
    apps = [
        app(), named_app("disabled", enabled=False), named_app("tls", requireTLS=True),
        named_app("quota", limits={"connections": 2}), named_app("gentle", limits={"connections": 1}, quotaCode=4100),
        named_app("origin", allowedOrigins=[GOOD], limits={"connections": 2}), named_app("any", allowedOrigins=["*"]),
        named_app("empty", allowedOrigins=[]), named_app("both", enabled=False, requireTLS=True)]
    with Broker({"apps": apps}) as running:
        yield running


def refused(broker, code: int, **options) -> str:
    """Asserts a whole refusal: 101, the error, the close frame, the end of TCP. Gives the close reason."""
    with RawClient(broker, handshake=False, **options) as client:
        client.read_upgrade()
        message = client.expect_error(code)
        closed = client.expect_close()
        assert closed.code == code and client.last_frames == [], (closed, client.last_frames)
        reason = closed.reason.encode()
        assert 0 < len(reason) <= 123 and message.encode().startswith(reason), (message, closed.reason)
        client.send_frame(8, code.to_bytes(2, "big"))
        client.expect_end()
        return closed.reason


def test_an_unknown_key_is_refused_with_4001_after_the_upgrade(broker):
    """PW-009 PW-018"""
    refused(broker, 4001, key="no-such-key")


@pytest.mark.parametrize("key", ["k" * 1000, "%C3%A9" * 150, "%F0%9F%90%A6" * 60, "%00", "%FF%FE", "a%22%5Cb%0A",
    "%zz"])
def test_the_reason_fits_its_frame_whatever_the_key(broker, key):
    """PW-009 PW-018: at most 123 bytes, cut between characters, never broken by the key's own bytes"""
    with RawClient(broker, key=key, handshake=False) as client:
        if client.read_head() == 101:
            closed = client.expect_close()
            assert closed.code in (4001, 4005) and 0 < len(closed.reason.encode()) <= 123, closed
            assert client.last_frames[0]["data"]["code"] == closed.code, client.last_frames
        else:
            assert client.status in (400, 404), client.head


def test_a_disabled_app_is_refused_with_4003(broker):
    """PW-010 PW-018"""
    refused(broker, 4003, **credentials("disabled"))


def test_a_tls_only_app_is_refused_with_4000_on_plaintext(broker):
    """PW-012 PW-018"""
    refused(broker, 4000, **credentials("tls"))


@pytest.mark.parametrize("name, options, code", [
    ("both", {}, 4003), ("both", {"query": "protocol=3"}, 4007), ("both", {"query": "protocol=x"}, 4006),
    ("nobody", {"query": "protocol=99"}, 4007), ("tls", {"headers": {"Origin": "https://evil.example"}}, 4000)])
def test_the_first_condition_of_the_admission_order_wins(broker, name, options, code):
    """PW-008 PW-010 PW-012: §1.4"""
    refused(broker, code, **credentials(name), **options)


@pytest.mark.parametrize("name, code, connections", [("quota", 4004, 2), ("gentle", 4100, 1)])
def test_the_connection_over_quota_is_refused_and_a_place_that_frees_is_used(broker, name, code, connections):
    """PW-011 PW-018"""
    inside = [broker.client_of(name) for _ in range(connections)]
    refused(broker, code, **credentials(name))
    refused(broker, code, **credentials(name))
    for client in inside:
        client.nothing_until_pong()
    inside.pop().close()

    def admitted():
        try:
            return broker.client_of(name)
        except (Closed, AssertionError):
            return None

    inside.append(wait_until(admitted, "the freed place is usable"))
    refused(broker, code, **credentials(name))
    for client in inside:
        client.close()


@pytest.mark.parametrize("name, origin", [
    ("any", None), ("any", "https://elsewhere.example"), ("empty", None), ("empty", "https://elsewhere.example"),
    ("origin", GOOD)])
def test_an_allowed_or_absent_origin_is_let_in(broker, name, origin):
    """PW-016"""
    with RawClient.of(broker, name, headers={"Origin": origin}) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("origin", [
    "https://evil.example", "https://good.example.evil.example", "https://evil.example/https://good.example", "null"])
def test_a_disallowed_origin_is_refused_with_4009(broker, origin):
    """PW-016 PW-018"""
    refused(broker, 4009, headers={"Origin": origin}, **credentials("origin"))


def test_refused_connections_do_not_use_up_the_quota(broker):
    """PW-020: refused ones that still hang on leave both places free"""
    hanging = [RawClient.of(broker, "origin", headers={"Origin": "https://evil.example"},
        handshake=False) for _ in range(5)]
    try:
        for client in hanging:
            client.read_upgrade()
            client.expect_error(4009)

        def connections():
            return broker.api("GET", "/connections", **credentials("origin"))[1] == {"connections": 0}

        # Connections that earlier tests closed may take a moment to be gone; the five refused ones must never count.
        wait_until(connections, "no connection is counted")
        first = RawClient.of(broker, "origin", headers={"Origin": GOOD})
        second = RawClient.of(broker, "origin", headers={"Origin": GOOD})
        refused(broker, 4004, headers={"Origin": GOOD}, **credentials("origin"))
        status, reply = broker.api("GET", "/connections", **credentials("origin"))
        assert (status, reply) == (200, {"connections": 2})
        first.close()
        second.close()
    finally:
        for client in hanging:
            client.close()


def test_connections_that_an_app_refuses_take_no_place_of_the_process():
    """PW-011 PW-020: an app that is full costs the other apps nothing"""
    apps = [named_app("full", limits={"connections": 1}), named_app("other")]
    with Broker({"connections": 3, "apps": apps}) as small:
        with small.client_of("full"):
            for _ in range(5):
                refused(small, 4004, **credentials("full"))
            with small.client_of("other") as first, small.client_of("other") as second:
                refused(small, 4100, **credentials("other"))
                first.nothing_until_pong()
                second.nothing_until_pong()


def test_a_refused_connection_never_enters_a_channel(broker):
    """PW-020: what it wrote along with its request is not carried out"""
    early = text({"event": "pusher:subscribe", "data": {"channel": "public-room"}})
    with RawClient.of(broker, "origin", headers={"Origin": "https://evil.example"}, pipelined=early,
                      handshake=False) as client:
        client.read_upgrade()
        client.expect_error(4009)
        assert client.expect_close().code == 4009 and client.last_frames == []
        status, reply = broker.api("GET", "/channels", **credentials("origin"))
        assert (status, reply) == (200, {"channels": {}})


def test_the_refusal_does_not_depend_on_the_client_answering_the_close(broker):
    """PW-009: §1.4, TCP ends 5 s after the close frame at the latest"""
    with RawClient(broker, key="no-such-key", handshake=False) as client:
        client.read_upgrade()
        client.expect_close()
        client.expect_end(timeout=8)
