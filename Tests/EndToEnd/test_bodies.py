"""Nothing is kept of a body before its sender is known, and unfinished input of all peers has one bound (issue 7 C18)."""

import socket
import time

import pytest

from harness import Broker, app, wait_until
from http_tools import Raw, assert_error, assert_success, chunks, event, plain, signed_post
from signing import target

MEGABYTE = 1 << 20
LONG = f"Content-Length: {MEGABYTE}"
CHUNKED = "Transfer-Encoding: chunked"


def post(path: str, *lines: str) -> bytes:
    return plain("POST", path, *lines)


def signed(**changes) -> str:
    """The target of a publish of 1 MiB that nobody will send."""
    return target("POST", "/apps/1/events", b"x" * MEGABYTE, **changes)


DECIDED = {
    "no signature": ("/apps/1/events", 401), "unknown app": ("/apps/nobody/events", 404), "unknown path": ("/nothing", 404),
    "another method": ("/apps/1/channels", 405), "an operational path": ("/ready", 405), "wrong secret": (signed(secret="no"), 401),
    "unknown key": (signed(key="nobody"), 401), "an old signature": (signed(now=1), 401),
    "no digest of the body": (target("POST", "/apps/1/events", b""), 401), "a WebSocket path": ("/app/app-key", 405),
    "key names the app, none does": ("/users/u/terminate_connections", 401),
}


@pytest.mark.parametrize("lines", [(LONG,), (CHUNKED,), (LONG, "Expect: 100-continue"), (CHUNKED, "Expect: 100-continue")],
                         ids=["length", "chunked", "length, expects", "chunked, expects"])
@pytest.mark.parametrize("name", DECIDED)
def test_pw_138_what_the_head_decides_is_answered_by_the_head(broker, name, lines):
    """PW-138, PW-153: before any byte of the body, without `100 Continue`; then closed."""
    path, status = DECIDED[name]
    if name == "no digest of the body" and CHUNKED in lines:
        pytest.skip("a chunked body may be empty, and then it needs no digest")
    with Raw(broker) as raw:
        reply = raw.send(post(path, *lines)).reply(interim=False)
        assert_error(reply, status)
        assert reply.headers["connection"] == "close"
        raw.expect_closed()


def test_a_disabled_app_is_403_by_its_head():
    with Broker({"apps": [app(enabled=False)]}) as broker, Raw(broker) as raw:
        assert_error(raw.send(post(signed(), LONG)).reply(), 403)
        raw.expect_closed()


def test_a_get_with_a_long_body_is_answered_by_its_head(broker):
    with Raw(broker) as raw:
        reply = raw.send(plain("GET", "/ready", LONG)).reply()
        assert reply.status == 200 and reply.headers["connection"] == "close"
        raw.expect_closed()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_pw_154_the_answer_reaches_a_caller_that_is_still_sending(broker, framing):
    """PW-154; RFC 9112 §9.6: all of the body is written before anything is read, and the answer is there, no reset."""
    body = b"x" * MEGABYTE
    lines, framed = ((LONG,), body) if framing == "length" else ((CHUNKED,), chunks(*[body[:65_536]] * 16))
    with Raw(broker) as raw:
        raw.send(post("/apps/1/events", *lines))
        for start in range(0, len(framed), 32_768):
            raw.send(framed[start:start + 32_768])
        assert_error(raw.reply(), 401)
        raw.expect_closed()


def test_pw_154_a_small_rest_is_passed_over_and_the_connection_stays(broker):
    """PW-154 (§6.9): head and body in two writes; the answer comes between them, the next request after them."""
    for count in (1, 5_000, 65_536):
        with Raw(broker) as raw:
            reply = raw.send(post("/apps/1/events", f"Content-Length: {count}")).reply()
            assert_error(reply, 401)
            assert reply.headers["connection"] == "keep-alive"
            raw.send(b"G" * (count // 2))
            raw.send(b"G" * (count - count // 2) + plain())
            assert raw.reply().status == 200
    with Raw(broker) as raw:
        assert raw.send(post("/apps/1/events", "Content-Length: 65537")).reply().headers["connection"] == "close"
    with Raw(broker) as raw:
        # Who asked first may leave the body out, and nobody knows.
        reply = raw.send(post("/apps/1/events", "Content-Length: 100", "Expect: 100-continue")).reply(interim=False)
        assert reply.status == 401 and reply.headers["connection"] == "close"
        raw.expect_closed()


def test_pw_153_a_signed_body_is_waited_for(broker, client):
    """PW-153: in pieces, by either framing, with 100 Continue where it is asked for; one altered afterwards is refused."""
    client.subscribe("waited")
    body = event("waited", data="x" * 9_000)
    with Raw(broker) as raw:
        for lines, framed in (((f"Content-Length: {len(body)}",), body), ((CHUNKED,), chunks(body[:99], body[99:]))):
            raw.send(signed_post(body, *lines, "Expect: 100-continue", framed=b""))
            assert raw.head().status == 100
            raw.send(framed[:4_000])
            raw.send(framed[4_000:])
            assert_success(raw.reply(interim=False))
            client.expect("e", "waited")
        raw.send(signed_post(body, framed=b""))
        raw.send(body[:-3] + b'y"}')
        assert_error(raw.reply(), 401, "body_md5")
        raw.send(signed_post(body, framed=b""))
        raw.send(body + plain())
        assert_success(raw.reply())
        assert raw.reply().status == 200, "the connection goes on, and the next head is looked at anew"
        raw.send(post("/apps/1/events", f"Content-Length: {len(body)}") + body)
        assert_error(raw.reply(), 401)
        forged = target("POST", "/apps/1/events", body, secret="no")
        assert_error(raw.send(post(forged, f"Content-Length: {len(body)}") + body).reply(), 401, "signature")


def fill(broker: Broker, opening: bytes, rest: bytes, count: int) -> list[socket.socket]:
    """So many peers that send all but the end of something, and wait."""
    peers = []
    for _ in range(count):
        peer = socket.create_connection(("127.0.0.1", broker.port), timeout=10)
        peers.append(peer)
        try:
            peer.sendall(opening)
            peer.sendall(rest)
        except OSError:
            pass  # refused already
    return peers


@pytest.mark.memory
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_anonymous_bodies_cost_no_memory(framing):
    """400 connections that announce 1 MiB and send nearly all of it: 415 MiB once."""
    with Broker({"apps": [app()]}) as broker:
        lines, start = ((LONG,), b"") if framing == "length" else ((CHUNKED,), b"%x\r\n" % MEGABYTE)
        before = broker.resident_bytes()
        peers = fill(broker, post("/apps/1/events", *lines), start + b"x" * (MEGABYTE - 1), 400)
        assert broker.resident_bytes() - before < 8 << 20
        for peer in peers:
            peer.close()


@pytest.mark.memory
@pytest.mark.parametrize("kind", ["length", "chunked", "message", "fragments"])
def test_unfinished_input_of_all_peers_has_one_bound(kind):
    """Signed bodies and half messages that never end: 503 with Retry-After or 4100 beyond the bound; then all is given back."""
    config = {"inputTotalBytes": 4 << 20, "requestBodyBytes": MEGABYTE, "messageBytes": 524_288, "apps": [app()]}
    with Broker(config) as broker:
        before = broker.resident_bytes()
        if kind in ("length", "chunked"):
            lines, start = ((LONG,), b"") if kind == "length" else ((CHUNKED,), b"%x\r\n" % MEGABYTE)
            opening, rest = post(signed(), *lines), start + b"x" * (MEGABYTE - 1)
        else:
            upgrade = plain("GET", "/app/app-key?protocol=7", "Connection: Upgrade", "Upgrade: websocket",
                            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
            length = (500_000).to_bytes(8, "big")
            first = b"\x81" if kind == "message" else b"\x01"
            whole = 499_999 if kind == "message" else 500_000
            opening, rest = upgrade, first + b"\xff" + length + b"\0\0\0\0" + b"x" * whole
        peers = fill(broker, opening, rest, 60)
        assert broker.resident_bytes() - before < 24 << 20
        wait_until(lambda: "inputTotalBytes" in broker.log(), "the log says that the bound was met")
        refused = []
        for peer in peers:
            peer.settimeout(0.2)
            try:
                heard = b""
                while b"\r\n\r\n" not in heard or kind in ("message", "fragments"):
                    more = peer.recv(65_536)
                    heard += more
                    if not more:
                        break
            except (TimeoutError, ConnectionResetError):
                pass
            if b" 503 " in heard and b"retry-after: 1" in heard.lower() or b'"code":4100' in heard:
                refused.append(peer)
        assert 30 <= len(refused) < 60, len(refused)
        # Small requests are served on, whole ones and dribbled ones.
        with Raw(broker) as raw:
            assert_success(raw.send(signed_post(event("c"))).reply())
            raw.send_slowly(signed_post(event("c")))
            assert_success(raw.reply())
        for peer in peers:
            peer.close()

        def is_free() -> bool:
            with Raw(broker) as raw:
                body = event("c", extras="x" * 900_000)
                raw.send(signed_post(body, framed=body[:500_000]))
                raw.send(body[500_000:])
                return raw.reply().status == 200

        wait_until(is_free, "a large body is taken again")
