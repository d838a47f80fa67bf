"""HTTP/1.1 as libraries, proxies and curl users speak it: connections, bodies, methods, sizes, prefixes (PW §6.1)."""

import json
import socket

import h11
import pytest

from harness import DEADLINE, Broker, app
from http_tools import UPGRADE, Caller, Raw, assert_error, assert_success, chunks, event, plain, signed_post
from signing import target


@pytest.fixture
def raw(broker):
    with Raw(broker) as connection:
        yield connection


# Connections


def test_pw_154_fifty_requests_over_one_connection(broker, raw):
    """PW-154: on one and the same TCP connection, which stays open."""
    for number in range(50):
        body = event("keep-alive", data=str(number))
        assert_success(raw.send(signed_post(body)).reply())
    assert raw.send(plain()).reply().status == 200


def test_pw_154_pipelined_requests_are_answered_in_order(broker, raw):
    """PW-154 (§6.1): fifty in one write; each reply names its own channel, so that a swap would show."""
    bodies = [event(f"pipe-{n}", info="subscription_count") for n in range(50)]
    raw.send(b"".join(signed_post(body) for body in bodies))
    for number in range(50):
        assert list(assert_success(raw.reply())["channels"]) == [f"pipe-{number}"]


def test_pw_154_pipelined_requests_byte_by_byte(broker, raw):
    """PW-154: however the kernel cuts them."""
    stream = b"".join([plain(), signed_post(event("slow")), plain("HEAD"), plain("GET", "/nothing")])
    raw.send_slowly(stream)
    assert [raw.reply(to_head=n == 2).status for n in range(4)] == [200, 200, 200, 404]


def test_pw_154_connection_close_is_honoured_and_announced(broker, raw):
    """PW-154 (§6.1: send `Connection: close` before closing)."""
    reply = raw.send(plain("GET", "/ready", "Connection: close")).reply()
    assert reply.status == 200 and reply.headers["connection"].lower() == "close"
    raw.expect_closed()


def test_pw_154_http_1_0_closes_unless_asked_to_keep(broker, raw):
    """PW-154; RFC 9112 §9.3"""
    raw.send(b"GET /ready HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    reply = raw.reply()
    assert reply.status == 200 and reply.headers.get("connection", "").lower() == "keep-alive"
    raw.send(b"GET /ready HTTP/1.0\r\n\r\n")
    assert raw.reply().status == 200
    raw.expect_closed()


def test_pw_154_a_refused_request_does_not_spoil_the_next_on_the_connection(broker, raw):
    """PW-154 (§6.9: a 4xx must still consume the request body; a small one is no reason to close)."""
    for body in (b"{", b"x" * 5_000, event(name="")):
        bad = plain("POST", "/apps/1/events", f"Content-Length: {len(body)}", body=body)
        assert_error(raw.send(bad + plain()).reply(), 401)
        assert raw.reply().status == 200


def test_pw_154_a_half_closed_caller_still_gets_its_answer(broker, raw):
    """PW-154: `nc`-like callers shut their sending side before they read."""
    raw.send(signed_post(event("half-closed")))
    raw.socket.shutdown(socket.SHUT_WR)
    assert_success(raw.reply())
    raw.expect_closed()


# Bodies


@pytest.mark.parametrize("pieces", ["one", "bytes", "with extension", "with trailer", "upper-case hex and zeros"])
def test_pw_153_a_chunked_body_is_accepted(broker, raw, client, pieces):
    """PW-153"""
    client.subscribe("chunked")
    body = event("chunked", data="x" * 40)
    framed = {
        "one": chunks(body), "bytes": chunks(*(body[n:n + 1] for n in range(len(body)))),
        "with extension": b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        "with trailer": chunks(body, trailer=b"X-Checksum: 1\r\n"),
        "upper-case hex and zeros": b"00%X\r\n%s\r\n000\r\n\r\n" % (len(body), body),
    }[pieces]
    assert_success(raw.send(signed_post(body, "Transfer-Encoding: chunked", framed=framed)).reply())
    client.expect("e", "chunked")
    assert raw.send(plain()).reply().status == 200, "what follows the last chunk is the next request"


def test_pw_153_a_chunked_body_byte_by_byte(broker, raw):
    """PW-153"""
    body = event("chunked-slowly")
    raw.send_slowly(signed_post(body, "transfer-encoding: Chunked", framed=chunks(body[:7], body[7:])))
    assert_success(raw.reply())


def test_pw_153_expect_100_continue_is_answered_at_once(broker, raw):
    """PW-153: the body is sent only after the interim reply (curl, .NET)."""
    body = event("continue", data="x" * 2000)
    raw.send(signed_post(body, f"Content-Length: {len(body)}", "Expect: 100-continue", framed=b""))
    assert raw.head().status == 100
    assert_success(raw.send(body).reply())
    assert raw.send(plain()).reply().status == 200


@pytest.mark.parametrize("line", ["Expect: 100-continue", "Expect: 100-Continue"])
def test_pw_153_a_caller_that_does_not_wait_for_100_is_served(broker, raw, line):
    """PW-153: body together with the head, plain and chunked."""
    body = event("impatient")
    assert_success(raw.send(signed_post(body, f"Content-Length: {len(body)}", line)).reply())
    assert_success(raw.send(signed_post(body, "Transfer-Encoding: chunked", line, framed=chunks(body))).reply())


def test_pw_153_a_body_too_large_is_refused_before_100(broker, raw):
    """PW-153 (§6.1: over the limit 413 and close): the body is never asked for."""
    raw.send(plain("POST", "/apps/1/events", "Content-Length: 1048577", "Expect: 100-continue"))
    assert_error(raw.reply(interim=False), 413)
    raw.expect_closed()


def test_pw_153_an_unknown_expectation_is_417(broker, raw):
    """PW-153; RFC 9110 §10.1.1"""
    assert raw.send(plain("GET", "/ready", "Expect: a-miracle")).reply().status == 417


def test_pw_144_a_body_of_one_mebibyte_fits_and_one_byte_more_is_413(broker):
    """PW-144 (§6.1): by Content-Length and chunked; refused without reading it all; then closed."""
    body = event("big", extras="x" * 1_000_000)
    body = body[:-1] + b" " * (1_048_576 - len(body)) + b"}"
    for framing in ("length", "chunked"):
        for extra, status in ((b"", 200), (b" ", 413)):
            whole = body + extra
            lines, framed = ([], None) if framing == "length" else (["Transfer-Encoding: chunked"], chunks(whole))
            with Raw(broker) as connection:
                try:
                    connection.send(signed_post(whole, *lines, framed=framed))
                except (BrokenPipeError, ConnectionResetError):
                    assert status == 413, "closed while a body of legal size was sent"
                reply = connection.reply()
                assert reply.status == status, (framing, len(whole), reply)
                if status == 413:
                    assert_error(reply, 413)
                    connection.expect_closed()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "unknown", "gzip, identity"])
def test_pw_128_an_encoded_body_is_415(broker, raw, encoding):
    """PW-128 (§6.1: reject an unknown Content-Encoding)."""
    body = event("encoded")
    assert_error(raw.send(signed_post(body, f"Content-Length: {len(body)}", f"Content-Encoding: {encoding}")).reply(), 415)


def test_pw_128_identity_is_no_encoding(broker, raw):
    """PW-128"""
    body = event("identity")
    assert_success(raw.send(signed_post(body, f"Content-Length: {len(body)}", "Content-Encoding: identity")).reply())


def test_pw_139_the_request_body_limit_is_configurable():
    """PW-139 (§11): `requestBodyBytes`."""
    with Broker({"requestBodyBytes": 2048, "apps": [app()]}) as small:
        body = event("x")
        assert_success(Caller(small).publish(body[:-1] + b" " * (2048 - len(body)) + b"}"))
        with Raw(small) as connection:
            assert_error(connection.send(signed_post(body[:-1] + b" " * (2049 - len(body)) + b"}")).reply(), 413)


# Methods


def test_pw_166_head_is_get_without_a_body(broker, raw):
    """PW-166 (§6.1): same status and headers; signed as HEAD."""
    for path in ("/ready", target("HEAD", "/apps/1/channels"), target("HEAD", "/apps/1/channels/c"), "/nothing"):
        reply = raw.send(plain("HEAD", path)).reply(to_head=True)
        assert reply.status == (404 if path == "/nothing" else 200), (path, reply)
    get = raw.send(plain("GET", "/up")).reply()
    head = raw.send(plain("HEAD", "/up")).reply(to_head=True)
    assert head.headers.get("content-length", str(len(get.body))) == str(len(get.body))
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", ["/apps/1/events", "/apps/1/channels", "/apps/99/events"])
def test_pw_166_options_is_204_with_cors_headers(broker, raw, path):
    """PW-166 (§6.1): without a signature, as a browser's preflight has none."""
    lines = ("Origin: http://localhost:3000", "Access-Control-Request-Method: POST")
    reply = raw.send(plain("OPTIONS", path, *lines)).reply()
    assert reply.status == 204 and reply.body == b""
    assert reply.headers["access-control-allow-origin"] == "*"
    allowed = {method.strip() for method in reply.headers["access-control-allow-methods"].split(",")}
    assert {"GET", "POST", "OPTIONS"} <= allowed
    assert "content-type" in reply.headers["access-control-allow-headers"].lower()
    assert raw.send(plain()).reply().status == 200, "a 204 has no body to be mistaken for the next reply"


def test_pw_166_every_api_reply_allows_any_origin(broker):
    """PW-166 (§6.1: the same headers on every reply)."""
    call = Caller(broker)
    for reply in (call.get("/channels"), call.publish(channel="x"), call.publish(), call.get("/nothing"),
                  call.send("GET", "/apps/1/channels")):
        assert reply.headers["access-control-allow-origin"] == "*", reply


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW", "M-SEARCH"])
@pytest.mark.parametrize("path", ["/", "/ready", "/up"])
def test_pw_166_a_wrong_method_on_an_operational_path_is_405(broker, raw, method, path):
    """PW-166: TRACE never echoes; a method nobody knows may be 501."""
    reply = raw.send(plain(method, path, "X-Secret: do-not-echo")).reply()
    assert reply.status in (405, 501), reply
    assert b"do-not-echo" not in reply.body


@pytest.mark.parametrize("path", ["/nothing", "/app", "/apps", "/apps/", "/apps/1", "/favicon.ico", "/.env", "/app/", "/%",
                                  "/..", "/apps/../ready", "/ready/x", "/%72eady%00", "/app/app-key/x", "/app/app/app-key"])
def test_pw_166_an_unknown_path_is_404(broker, raw, path):
    """PW-166, PW-138: an error object; nothing is normalised into existence."""
    reply = raw.send(plain("GET", path)).reply()
    assert reply.status in (400, 404) if "%" in path else reply.status == 404, reply
    assert_error(reply, reply.status)


# Sizes


def test_pw_166_a_target_too_long_is_414(broker):
    """PW-166 (reliability §3: URI 2 KiB)."""
    for length, status in ((2048, 404), (2049, 414), (8000, 414)):
        with Raw(broker) as connection:
            reply = connection.send(plain("GET", "/" + "a" * (length - 1))).reply()
            assert reply.status == status, (length, reply)
            if status == 414:
                connection.expect_closed()


def test_pw_166_too_many_headers_or_too_much_head_is_431(broker):
    """PW-166: 16 KiB of head, 256 headers."""
    heads = [([f"X-{n}: 1" for n in range(255)], 200), ([f"X-{n}: 1" for n in range(256)], 431),
             (["X: " + "a" * 15_000], 200), (["X: " + "a" * 16_384], 431), ([f"X-{n}: " + "a" * 400 for n in range(60)], 431),
             (["X" * 16_384 + ": 1"], 431)]
    for lines, status in heads:
        with Raw(broker) as connection:
            reply = connection.send(plain("GET", "/ready", *lines)).reply()
            assert reply.status == status, (lines[0][:20], len(lines), reply)
            if status == 431:
                connection.expect_closed()


def test_pw_166_a_head_without_end_is_refused_before_it_ends(broker):
    """PW-166: 64 KiB of head are not collected."""
    with Raw(broker) as connection:
        try:
            connection.send(b"GET /ready HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 65_536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert connection.reply().status == 431
        connection.expect_closed()


# Upgrade and prefix


@pytest.mark.parametrize("lines", [(), ("Connection: Upgrade",), ("Upgrade: websocket",), UPGRADE[2:]])
def test_pw_166_a_plain_get_on_the_websocket_path_is_426(broker, raw, lines):
    """PW-166 (§1.2): says what is missing, and names the protocol."""
    reply = raw.send(plain("GET", "/app/app-key", *lines)).reply()
    assert reply.status == 426 and "websocket" in reply.headers["upgrade"].lower(), reply
    assert raw.send(plain()).reply().status == 200


@pytest.mark.parametrize("lines, statuses", [
    (UPGRADE[:2] + ("Sec-WebSocket-Version: 8",) + UPGRADE[3:], (426, 400)), (UPGRADE[:3], (400,)),
    (UPGRADE[:3] + ("Sec-WebSocket-Key: short",), (400,)), (UPGRADE[:3] + ("Sec-WebSocket-Key: " + "!" * 24,), (400,)),
    (UPGRADE + ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",), (400,))])
def test_pw_166_a_broken_upgrade_is_refused_over_http(broker, raw, lines, statuses):
    """PW-166; RFC 6455 §4.2.2"""
    reply = raw.send(plain("GET", "/app/app-key", *lines)).reply()
    assert reply.status in statuses, reply
    assert "Version: 8" not in str(lines) or reply.headers.get("sec-websocket-version") == "13"
    raw.expect_closed()  # frames may follow, which are no requests


def test_pw_166_an_upgrade_to_http_2_is_ignored(broker, raw):
    """PW-166; RFC 9110 §7.8: the request is answered as HTTP/1.1."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    assert raw.send(plain("GET", "/ready", *lines)).reply().status == 200


@pytest.mark.parametrize("path", ["/app/app-key", "/nothing"])
def test_pw_166_post_to_the_websocket_path_is_no_upgrade(broker, raw, path):
    """PW-166"""
    assert raw.send(plain("POST", path, *UPGRADE, "Content-Length: 0")).reply().status in (400, 404, 405)


@pytest.fixture(scope="module")
def prefixed():
    with Broker({"pathPrefix": "/ws", "apps": [app()]}) as running:
        yield running


def test_pw_137_the_configured_prefix_leads_to_everything(prefixed):
    """PW-137 (§1.1, §6.1): clients and the API below the prefix."""
    with prefixed.client(prefix="/ws") as client:
        client.subscribe("prefixed")
        assert_success(Caller(prefixed, prefix="/ws").publish(channel="prefixed"))
        client.expect("e", "prefixed")


def test_pw_137_operational_endpoints_answer_with_a_prefix_as_well(prefixed):
    """PW-137, PW-185: a load balancer asks at the root."""
    assert prefixed.request("GET", "/ready")[0] == 200


@pytest.mark.parametrize("path", ["/app/app-key", "/other/app/app-key", "/wsx/app/app-key", "/ws/ws/app/app-key"])
def test_pw_166_a_wrong_prefix_is_404_with_a_hint(prefixed, path):
    """PW-166: the text says which option to look at."""
    with Raw(prefixed) as connection:
        reply = connection.send(plain("GET", path, *UPGRADE)).reply()
        assert reply.status == 404 and b"prefix" in reply.body.lower(), reply


@pytest.mark.parametrize("path", ["/ws/app/app-key", "/app/app/app-key"])
def test_pw_166_a_prefix_nobody_configured_is_404_with_a_hint(broker, raw, path):
    """PW-166 (soketi #1106; `wsPath: '/app'` gives /app/app/KEY, where no prefix would help)."""
    reply = raw.send(plain("GET", path, *UPGRADE)).reply()
    assert reply.status == 404 and b"wspath" in reply.body.lower(), reply
    assert path.startswith("/app") or b"prefix" in reply.body.lower(), reply


# Well-formed for strict parsers


def test_pw_138_every_kind_of_reply_satisfies_a_strict_client(broker):
    """PW-138, PW-154: h11 refuses what is not RFC 9112."""
    requests = [("GET", "/ready", b""), ("GET", "/", b""), ("HEAD", "/", b""), ("OPTIONS", "/apps/1/events", b""),
                ("GET", "/nothing", b""), ("GET", "/app/app-key", b""), ("POST", "/apps/1/events", b"{}"),
                ("POST", target("POST", "/apps/1/events", event()), event()), ("PUT", "/apps/1/events", b"x"),
                ("GET", target("GET", "/apps/1/channels"), b""), ("GET", "/" + "a" * 3000, b"")]
    for method, path, body in requests:
        with socket.create_connection(("127.0.0.1", broker.port), DEADLINE) as connection:
            strict = h11.Connection(h11.CLIENT)
            head = h11.Request(method=method, target=path, headers=[("Host", "x"), ("Content-Length", str(len(body)))])
            connection.sendall(strict.send(head) + (strict.send(h11.Data(data=body)) or b"") +
                               (strict.send(h11.EndOfMessage()) or b""))
            got, content = None, b""
            while not isinstance(item := strict.next_event(), h11.EndOfMessage):
                if item is h11.NEED_DATA:
                    strict.receive_data(connection.recv(65536))
                elif isinstance(item, h11.Response):
                    got = item
                else:
                    content += item.data
            assert got.http_version == b"1.1" and got.reason
            if dict(got.headers).get(b"content-type", b"").startswith(b"application/json") and method != "HEAD":
                json.loads(content)


def test_pw_138_a_tls_client_on_the_plain_port_is_turned_away_and_the_log_says_why(broker, raw):
    """PW-138: not left hanging."""
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(194)
    raw.send(hello)
    raw.rest()
    assert "forceTLS: false" in broker.log()


@pytest.mark.parametrize("setting", [{"trustProxy": True}, {"publicScheme": "https"}])
def test_pw_138_behind_a_proxy_a_tls_client_is_not_told_to_give_up_tls(setting):
    """PW-138: the advice looks at the configuration."""
    with Broker({**setting, "apps": [app()]}) as broker, Raw(broker) as raw:
        raw.send(bytes.fromhex("16030100c8010000c40303") + bytes(194)).rest()
        assert "proxy in front must speak plain HTTP" in broker.log() and "forceTLS" not in broker.log()
