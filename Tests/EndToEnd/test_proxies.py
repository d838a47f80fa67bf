"""Behind a proxy as people configure it: prefixes, slashes, lost headers, who speaks TLS (PW §1.2, §6.1, §6.4)."""

import json
import time

import pytest

from harness import DEADLINE, Broker, Client, app, named_app, wait_until
from http_tools import Caller, Raw, assert_error, assert_success, event, plain
from proxies import NGINX, UPGRADE, Nginx
from rawclient import RawClient, upgrade_request
from signing import signature, auth_pairs, encode

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx cannot be had (Debian: nginx-light)")


def through(proxy, path_prefix: str, signed_prefix: str) -> Caller:
    """Asks for what lies below one prefix and signs another: libraries differ in which they sign."""
    caller = Caller(proxy)

    def call(method, path, body=None, params=()):
        pairs = list(dict(params).items()) + auth_pairs(body)
        signed = signature(method, f"{signed_prefix}/apps/1{path}", pairs)
        return caller.send(method, f"{path_prefix}/apps/1{path}?{encode(pairs)}&auth_signature={signed}", body)

    return call


# The location block with the broker's port as %d, the prefix that clients use, the broker's own, and the prefixes that may be signed.
SHAPES = {
    "no prefix": ("location / { proxy_pass http://127.0.0.1:%d; X }", "", "", ("",)),
    "prefix replaced by a slash": ("location /soketi { proxy_pass http://127.0.0.1:%d/; X }", "/soketi", "", ("",)),
    "prefix replaced by a slash, configured": (
        "location /soketi { proxy_pass http://127.0.0.1:%d/; X } location /soketi/app { proxy_pass http://127.0.0.1:%d; X }",
        "/soketi", "/soketi", ("", "/soketi")),
    "prefix taken away": ("location /soketi/ { proxy_pass http://127.0.0.1:%d/; X }", "/soketi", "", ("",)),
    "prefix passed": ("location /soketi { proxy_pass http://127.0.0.1:%d; X }", "/soketi", "/soketi", ("", "/soketi")),
    "prefix passed with a slash more": (
        "location /soketi { proxy_pass http://127.0.0.1:%d/soketi/; X }", "/soketi", "/soketi", ("", "/soketi")),
    "the API is asked for without its prefix": (
        "location / { proxy_pass http://127.0.0.1:%d; X }", "", "/soketi", ("", "/soketi")),
}


@needs_nginx
@pytest.mark.parametrize("shape", SHAPES)
def test_clients_and_signed_calls_come_through_nginx(shape):
    """PW-137, PW-013: WebSocket and API, with each of the prefixes that a library may sign."""
    location, prefix, configured, signed_prefixes = SHAPES[shape]
    with Broker({"pathPrefix": configured, "trustProxy": True, "apps": [app()]}) as broker:
        with Nginx(location.replace("%d", str(broker.port)).replace("X", UPGRADE)) as nginx:
            with Client(nginx, prefix=prefix or configured) as client:
                client.subscribe("through-nginx")
                for signed_prefix in signed_prefixes:
                    call = through(nginx, prefix, signed_prefix)
                    assert_success(call("POST", "/events", event("through-nginx", data=shape)))
                    assert client.expect("e", "through-nginx")["data"] == shape
                    listed = assert_success(call("GET", "/channels", params={"info": "subscription_count"}))
                    assert "through-nginx" in listed["channels"]
                    # nginx decodes and encodes anew what stands in a path.
                    assert_success(call("GET", "/channels/a=@,;b"))
                assert_error(through(nginx, prefix, "/else")("POST", "/events", event("through-nginx")), 401, "signature")
                client.nothing_until_pong()


@needs_nginx
@pytest.mark.parametrize("lost, words", [
    ("", ("proxy", "http/1.1", "upgrade and connection")),  # as nginx comes: HTTP/1.0, Connection: close
    ("proxy_http_version 1.1;", ("proxy", "upgrade and connection")),
    ("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;", ("connection header", "proxy")),
    ("proxy_http_version 1.1; proxy_set_header Connection upgrade;", ("no upgrade: websocket", "proxy")),
    (UPGRADE + "proxy_set_header Sec-WebSocket-Key '';", ("no sec-websocket-key", "proxy")),
    (UPGRADE + "proxy_set_header Sec-WebSocket-Version '';", ("no sec-websocket-version", "proxy"))])
def test_headers_that_nginx_dropped_are_named_to_the_caller_and_in_the_log(lost, words):
    """PW-166 (§1.2)"""
    with Broker({"trustProxy": True, "apps": [app()]}) as broker:
        with Nginx(f"location / {{ proxy_pass http://127.0.0.1:{broker.port}; {lost} }}") as nginx:
            with RawClient(nginx, handshake=False) as client:
                assert client.read_head() in (400, 426), client.head
                client._fill(int(client.headers["content-length"]), time.monotonic() + DEADLINE)
                text = json.loads(client.buffer)["error"].lower()
                assert all(word in text for word in words), text
        wait_until(lambda: "kind=handshake" in broker.log(), "the log names it")
        assert all(word in broker.log().lower() for word in words)


@needs_nginx
@pytest.mark.parametrize("said, code", [("https", None), ("wss", None), ("HTTPS, http", None), ("", 4000), ("http, https", 4000)])
def test_an_app_that_takes_tls_only_believes_nginx(said, code):
    """PW-012: the proxy's word counts, whatever else the client wrote."""
    with Broker({"trustProxy": True, "apps": [app(requireTLS=True)]}) as broker:
        with Nginx(f"location / {{ proxy_pass http://127.0.0.1:{broker.port}; {UPGRADE} }}") as nginx:
            headers = {"X-Client": said, "X-Forwarded-Ssl": "on", "Forwarded": "proto=https"}
            with RawClient(nginx, headers=headers, handshake=False) as client:
                client.read_upgrade()
                if code:
                    client.expect_error(code)
                    assert client.expect_close().code == code
                else:
                    client.greet()
                    client.nothing_until_pong()


# The headers themselves; the parser's table is in HTTPForwardedTests.


@pytest.fixture(scope="module")
def tls_only():
    apps = [named_app("tls", requireTLS=True)]
    with Broker({"trustProxy": True, "apps": apps}) as trusting, Broker({"apps": apps}) as wary:
        yield {True: trusting, False: wary}


FORWARDED = {
    "Traefik": {"X-Forwarded-Proto": "wss"}, "list": {"X-Forwarded-Proto": "https,http"},
    "case": {"x-forwarded-proto": "Https"}, "ssl": {"X-Forwarded-Ssl": "on"}, "scheme": {"X-Forwarded-Scheme": "https"},
    "RFC 7239": {"Forwarded": 'for="[2001:db8::1]:4711";proto=https;by=a, for=b;proto=http'},
    "RFC 7239 quoted": {"Forwarded": 'For=a; Proto="HTTPS"'},
    "two lines": {"X-Forwarded-Proto": "https\r\nX-Forwarded-Proto: http"},
}


@pytest.mark.parametrize("name", FORWARDED)
@pytest.mark.parametrize("is_trusted", [True, False])
def test_tls_in_front_counts_however_it_is_written_but_only_from_a_trusted_proxy(tls_only, name, is_trusted):
    """PW-012 (§1.2); the refusal says which option is missing."""
    with RawClient.of(tls_only[is_trusted], "tls", headers=FORWARDED[name], handshake=False) as client:
        client.read_upgrade()
        if is_trusted:
            client.greet()
            return client.nothing_until_pong()
        assert "--trust-proxy" in client.expect_error(4000)
        assert client.expect_close().code == 4000


@pytest.mark.parametrize("headers, word", [({}, "X-Forwarded-Proto"), ({"X-Forwarded-Proto": "http"}, "wss")])
def test_a_trusted_proxy_that_does_not_say_tls_is_told_what_to_send(tls_only, headers, word):
    """PW-012"""
    with RawClient.of(tls_only[True], "tls", headers=headers, handshake=False) as client:
        client.read_upgrade()
        assert word in client.expect_error(4000)


@pytest.mark.parametrize("networks, is_trusted", [(["loopback"], True), (["10.0.0.0/8", "::1"], False), ([], False)])
def test_tls_in_front_counts_only_from_listed_networks(networks, is_trusted):
    """PW-012"""
    with Broker({"trustProxy": networks, "apps": [app(requireTLS=True)]}) as broker:
        with RawClient(broker, headers={"X-Forwarded-Proto": "https"}, handshake=False) as client:
            client.read_upgrade()
            if is_trusted:
                return client.greet()
            assert "--trust-proxy" in client.expect_error(4000)


# Empty segments and prefixes, without a proxy


@pytest.mark.parametrize("target", ["//app/app-key", "/app//app-key", "/app/app-key//", "///app///app-key?protocol=7"])
def test_empty_segments_of_a_client_path_are_ignored(broker, target):
    """PW-013"""
    with RawClient(broker, target=target) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("sent, signed", [
    ("//apps/1/events", "/apps/1/events"), ("//apps/1/events", "//apps/1/events"), ("/apps//1/events", "/apps/1/events")])
def test_empty_segments_of_an_api_path_are_ignored_and_the_signature_is_of_what_was_signed(broker, client, sent, signed):
    """PW-137"""
    client.subscribe("slashes")
    body = event("slashes", data=sent + signed)
    pairs = auth_pairs(body)
    reply = Caller(broker).send("POST", f"{sent}?{encode(pairs)}&auth_signature={signature('POST', signed, pairs)}", body)
    assert_success(reply)
    assert client.expect("e", "slashes")["data"] == sent + signed


@pytest.fixture(scope="module")
def prefixed():
    with Broker({"pathPrefix": "/ws", "apps": [app()]}) as running:
        yield running


@pytest.mark.parametrize("signed_prefix", ["", "/ws"])
def test_the_api_answers_beside_its_prefix(prefixed, signed_prefix):
    """PW-137: Laravel's installer writes a base path without a final slash, which its HTTP client drops."""
    assert_success(through(prefixed, "", signed_prefix)("POST", "/events", event("beside")))
    assert_success(through(prefixed, "/ws", signed_prefix)("POST", "/events", event("beside")))
    assert_error(through(prefixed, "", "/other")("POST", "/events", event("beside")), 401, "signature")


@pytest.mark.parametrize("path, words", [
    ("/other/app/app-key", ("/other", "/ws", "wspath")), ("/app/app-key", ("/ws", "wspath", "--path-prefix")),
    ("/ws/ws/app/app-key", ("twice",)), ("/ws/app/app/app-key", ("leave /app out of wspath",))])
def test_a_wrong_ws_path_is_logged_as_what_it_is(path, words):
    """PW-166: both the caller and the operator read the same."""
    with Broker({"pathPrefix": "/ws", "apps": [app()]}) as broker, Raw(broker) as raw:
        reply = raw.send(upgrade_request(path)).reply()
        assert_error(reply, 404, *words)
        line = wait_until(lambda: [line for line in broker.log().splitlines() if f"path={path}" in line], "a log line")[0]
        assert all(word in line.lower() for word in words), line


@pytest.mark.parametrize("prefix, word", [("", "--path-prefix /soketi"), ("/ws", "path prefix of this server is /ws")])
def test_a_server_library_below_a_wrong_path_reads_which_is_right(prefix, word):
    """PW-166"""
    with Broker({"pathPrefix": prefix, "apps": [app()]}) as broker, Raw(broker) as raw:
        assert_error(raw.send(plain("GET", "/soketi/apps/1/channels")).reply(), 404, word)
