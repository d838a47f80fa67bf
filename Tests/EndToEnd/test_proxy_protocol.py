"""PROXY headers, versions 1 and 2 (HAProxy: proxy-protocol.txt): by hand, and as HAProxy itself writes them."""

from __future__ import annotations

import http.client
import pathlib
import re
import socket
import struct
import subprocess

import pytest

from certificates import Authority
from harness import BINARY, DEADLINE, Broker, app, named_app, wait_until
from http_tools import Caller, assert_success, event
from logfmt import refusals_told
from metrics_page import drives, scrape
from proxies import HAPROXY, HAProxy
from rawclient import RawClient, upgrade_request

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
STRANGER = "127.0.0.2"


def binary(family: int, block: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


FOUR = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 4711, 443)
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + bytes(16) + struct.pack("!HH", 4711, 443)
# A header, and whom the log names; None: whoever connected.
HEADERS = {
    "1, IPv4": (b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n", "192.0.2.1:4711"),
    "1, IPv6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n", "[2001:db8::1]:4711"),
    "1, unknown": (b"PROXY UNKNOWN\r\n", None),
    "2, IPv4": (binary(0x11, FOUR), "192.0.2.1:4711"),
    "2, IPv4 and TLVs": (binary(0x11, FOUR + b"\x02\x00\x05a.com" + b"\x04\x03\xe8" + bytes(1_000)), "192.0.2.1:4711"),
    "2, IPv6": (binary(0x21, SIX), "[2001:db8::1]:4711"),
    "2, local": (binary(0x00, b"", 0x20), None),
    "2, a local socket": (binary(0x31, bytes(216)), None),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def broker(authority):
    """Believes 127.0.0.1, and a network that only headers tell of."""
    config = {"proxyProtocol": True, "trustProxy": ["127.0.0.1", "10.0.0.0/8"], "tls": authority.leaf("server"),
              "refusalLinesPerSecond": 1_000, "apps": [app(), named_app("safe", requireTLS=True)]}
    with Broker(config) as running:
        yield running


def refused_peer(broker: Broker, key: str) -> str:
    """Whom the log names for a client that asked for an app key that is not there."""
    lines = wait_until(lambda: [one for one in broker.log().splitlines() if f"path=/app/{key} " in one], f"a line about {key}")
    assert len(lines) == 1
    return re.search(r" peer=(\S+)", lines[0])[1].strip('"')


def ask(broker: Broker, key: str, **options) -> str:
    with RawClient(broker, key=key, handshake=False, **options) as client:
        client.read_upgrade()
        client.expect_error(4001)
        own = "%s:%d" % client.socket.getsockname()
    peer = refused_peer(broker, key)
    return "own" if peer == own else peer


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("chunk", [0, 1], ids=["at once", "byte for byte"])
def test_the_address_of_the_header_is_the_clients(broker, name, chunk):
    header, told = HEADERS[name]
    key = "nobody-" + re.sub(r"\W", "", name) + str(chunk)
    if chunk and len(header) > 500:
        chunk = 100
    assert ask(broker, key, preamble=header, chunk=chunk) == (told or "own")
    with RawClient(broker, preamble=header, chunk=chunk) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("name", ["1, IPv4", "2, IPv6", "2, local"])
def test_tls_begins_behind_the_header(broker, authority, name):
    header, told = HEADERS[name]
    raw = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
    raw.sendall(header)
    key = "secured-" + re.sub(r"\W", "", name)
    with authority.context().wrap_socket(raw, server_hostname="localhost") as secure:
        own = "%s:%d" % secure.getsockname()
        secure.sendall(upgrade_request(f"/app/{key}?protocol=7"))
        assert secure.recv(1_000).startswith(b"HTTP/1.1 101")
        assert refused_peer(broker, key) == (told or own)


def test_the_address_of_a_failed_handshake_is_the_clients(broker):
    with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
        raw.sendall(b"PROXY TCP4 192.0.2.77 198.51.100.1 4711 443\r\n\x16\x03\x01\x00\x05hello")
        while raw.recv(1_000):
            pass
    wait_until(lambda: re.search(r"kind=tls cause=\w+ peer=192.0.2.77:4711", broker.log()), "its line")


@pytest.mark.parametrize("told, peer", [("10.0.0.9", "203.0.113.7"), ("192.0.2.9", "192.0.2.9:4711")])
def test_what_a_client_says_counts_by_the_address_of_the_header(broker, told, peer):
    """A trusted proxy that stands behind the one with the header is believed, a client is not."""
    key = "forwarded-" + told
    header = f"PROXY TCP4 {told} 198.51.100.1 4711 443\r\n".encode()
    assert ask(broker, key, preamble=header, headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}) == peer


def test_others_need_no_header_and_cannot_send_one(broker):
    with RawClient(broker, source=STRANGER) as client:
        client.nothing_until_pong()
    for header, _ in HEADERS.values():
        with RawClient(broker, source=STRANGER, preamble=header, handshake=False) as client:
            # An empty line may come before a request, so that version 2 reads as the beginning of one.
            assert client.read_head() == 400


@pytest.mark.parametrize("sent", [
    upgrade_request("/app/app-key"), b"\x16\x03\x01\x00\x05hello", b"PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n",
    b"PROXY " + b"x" * 102, binary(0x11, FOUR[:8]), binary(0x11, FOUR, 0x22), SIGNATURE + b"\x21\x11\xff\xff"])
def test_a_trusted_connection_without_a_header_is_closed(broker, sent):
    def count() -> float:
        return scrape(broker)["starling_proxy_headers_total", {"outcome": "malformed"}]

    before, told = count(), refusals_told(broker.log(), "proxy")
    with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
        own = "%s:%d" % raw.getsockname()
        raw.sendall(sent)
        try:
            assert raw.recv(1_000) == b""
        except ConnectionResetError:
            pass
    wait_until(lambda: refusals_told(broker.log(), "proxy") == told + 1, "it is told, or counted as the same within a second")
    for line in [one for one in broker.log().splitlines() if f"peer={own} " in one]:
        assert "kind=proxy cause=malformed " in line and "trustProxy" in line, line
    assert "kind=proxy cause=malformed peer=127.0.0.1:" in broker.log()
    page = scrape(broker)
    assert count() == before + 1
    assert page["starling_refusals_total", {"kind": "proxy", "code": "none"}] >= before + 1


@drives("starling_proxy_headers_total")
def test_headers_are_counted(broker):
    def counts() -> list[float]:
        page = scrape(broker)
        return [page["starling_proxy_headers_total", {"outcome": one}] for one in ("read", "gone", "malformed", "timeout")]

    before = counts()
    with RawClient(broker, preamble=HEADERS["2, IPv4"][0]):
        pass
    socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE).close()  # a look whether it is there
    with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
        raw.sendall(b"PROXY TCP4 ")
    wait_until(lambda: counts() == [before[0] + 1, before[1] + 1, *before[2:]], "one more of each")


def test_the_health_check_begins_with_a_header():
    config = {"proxyProtocol": True, "trustProxy": ["loopback"], "apps": [app()]}
    with Broker(config) as broker:
        file = broker.directory.name + "/config.json"
        command = [BINARY, "health", "--config", file, "--host", "127.0.0.1", "--port", str(broker.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE * 3)
        assert done.returncode == 0, done
        assert broker.request("GET", "/metrics", port=broker.metrics_port)[0] == 200, "the metrics want none"


# requireTLS

TLS, NO_TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00", b"\x20\x00\x05\x00\x00\x00\x00\x01"
FROM_PROXY = socket.inet_aton("10.0.0.9") + FOUR[4:]


def knock(port_of, key: str, **options) -> int | None:
    """The code that a client is refused with; None: it is let in."""
    with RawClient(port_of, key=key, secret=key.replace("-key", "-secret"), handshake=False, **options) as client:
        client.read_upgrade()
        first = client.receive()
        return None if first["event"] == "pusher:connection_established" else first["data"]["code"]


@pytest.mark.parametrize("header, forwarded, code", [
    (binary(0x11, FOUR + TLS), None, None),
    (binary(0x21, SIX + b"\x04\x00\x01\x00" + TLS), None, None),
    (binary(0x11, FOUR + NO_TLS), None, 4000),
    (binary(0x11, FOUR), None, 4000),
    (binary(0x00, FOUR + TLS, 0x20), None, 4000),  # a connection of the proxy's own
    (HEADERS["1, IPv4"][0], None, 4000),
    (binary(0x11, FOUR + NO_TLS), "https", 4000),  # a client, who may say what it likes
    (binary(0x11, FOUR + TLS), "http", None),
    (binary(0x11, FROM_PROXY + NO_TLS), "https", None),  # another proxy, nearer to the client, that is trusted
    (binary(0x11, FROM_PROXY + TLS), "http", 4000)])
def test_an_app_that_takes_tls_only_believes_the_header(broker, header, forwarded, code):
    """PW-012: what the proxy says of the client's connection counts as if TLS were with us."""
    assert knock(broker, "safe-key", preamble=header, headers={"X-Forwarded-Proto": forwarded}) == code
    assert knock(broker, "app-key", preamble=header, headers={"X-Forwarded-Proto": forwarded}) is None


def test_the_word_of_the_header_is_not_the_next_clients(broker):
    for _ in range(3):  # connections that follow one another have the same place
        assert knock(broker, "safe-key", preamble=binary(0x11, FOUR + TLS)) is None
        assert knock(broker, "safe-key", preamble=binary(0x11, FOUR)) == 4000


@pytest.mark.skipif(HAPROXY is None, reason="HAProxy cannot be had (Debian: haproxy)")
@pytest.mark.parametrize("options, ends_tls, code", [
    ("send-proxy-v2-ssl", True, None), ("send-proxy-v2-ssl-cn", True, None), ("send-proxy-v2-ssl", False, 4000), ("send-proxy-v2", True, 4000)])
def test_haproxy_tells_whether_its_client_spoke_tls(broker, authority, tmp_path, options, ends_tls, code):
    pair = authority.leaf("proxy")
    (tmp_path / "both.pem").write_text(pathlib.Path(pair["certificate"]).read_text() + pathlib.Path(pair["key"]).read_text())
    with HAProxy(broker.port, options, f"ssl crt {tmp_path}/both.pem" if ends_tls else "") as proxy:
        assert knock(proxy, "safe-key", context=authority.context() if ends_tls else None) == code


@pytest.mark.skipif(HAPROXY is None, reason="HAProxy cannot be had (Debian: haproxy)")
@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn", "send-proxy-v2 proxy-v2-options unique-id,crc32c"])
def test_clients_come_through_haproxy(broker, authority, options):
    with HAProxy(broker.port, options) as proxy:
        key = "nobody-" + options.replace(" ", "-").replace(",", "-")  # the same refusal has one line a second
        with RawClient(proxy, source="127.0.0.33", key=key, handshake=False) as client:
            client.read_upgrade()
            client.expect_error(4001)
            own = "%s:%d" % client.socket.getsockname()
            wait_until(lambda: f"peer={own} " in broker.log(), "the client's own address in the log")
        with RawClient(proxy, source="127.0.0.34") as client:
            client.subscribe("through-haproxy")
            call = Caller(proxy)
            assert_success(call("POST", "/events", event("through-haproxy", data=options)))
            assert client.expect("e", "through-haproxy")["data"] == options
        secure = http.client.HTTPSConnection("localhost", proxy.port, context=authority.context(), timeout=DEADLINE)
        secure.request("GET", "/ready")
        assert secure.getresponse().status == 200
        secure.close()
    assert "kind=proxy" not in broker.log().split("peer=127.0.0.33")[-1]
