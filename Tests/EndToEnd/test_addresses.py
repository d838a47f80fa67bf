"""What one address may have: open connections, and new ones in a second. Any address of 127.0.0.0/8 is this machine's."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import time

import pytest

from harness import DEADLINE, Broker, app, wait_until
from logfmt import refusals_told
from metrics_page import drives, scrape
from rawclient import RawClient, upgrade_request
from session import Closed
from signing import target

ROOM = 3


@pytest.fixture(scope="module")
def broker():
    """Two loops; of a proxy on 127.0.0.1 the clients are counted, of others they themselves."""
    config = {"connectionsPerAddress": ROOM, "trustProxy": ["127.0.0.1"], "loops": 2, "refusalLinesPerSecond": 1_000,
              "apps": [app()]}
    with Broker(config) as running:
        yield running


def hits(broker: Broker, limit: str) -> float:
    return scrape(broker)["starling_limit_hits_total", {"limit": limit}]


def is_let_in(broker: Broker, clients: list, code: int = 4100, **options) -> bool:
    """Connects a client; who is refused gets the handshake, an error with a sentence, and a close frame."""
    client = RawClient(broker, handshake=False, **options)
    client.read_upgrade()
    said = client.receive()
    if said["event"] == "pusher:connection_established":
        clients.append(client)
        return True
    assert said["event"] == "pusher:error" and said["data"]["code"] == code, said
    assert re.search(r"connections from your address: \d+ (at once|a second) are allowed", said["data"]["message"]), said
    with pytest.raises(Closed) as closed:
        client.receive()
    assert closed.value.code == code
    client.expect_end()
    client.close()
    return False


def close(clients: list) -> None:
    for one in clients:
        one.close()
    clients.clear()


def get(broker: Broker, source: str, path: str = "/ready") -> tuple[int, dict, bytes]:
    """A request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=DEADLINE, source_address=(source, 0))
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def test_one_address_has_so_many_on_all_loops_together(broker):
    clients, others, before = [], [], hits(broker, "connectionsPerAddress")
    assert sum(is_let_in(broker, clients, source="127.0.0.10") for _ in range(12)) == ROOM
    assert is_let_in(broker, others, source="127.0.0.11")
    assert hits(broker, "connectionsPerAddress") == before + 9
    lines = [line for line in broker.log().splitlines() if "kind=address" in line and "address_block=127.0.0.10 " in line]
    assert "code=4100" in lines[0] and "(connectionsPerAddress)" in lines[0] and "address_refusals=1 " in lines[0], lines
    wait_until(lambda: refusals_told(broker.log(), "address") == 9, "each is told, or counted as the same within a second")
    # A place that is given back is there at once, with a close frame as well as without.
    clients.pop().send_frame(8, b"\x03\xe8")
    wait_until(lambda: is_let_in(broker, clients, source="127.0.0.10"), "there is a place again")
    assert not is_let_in(broker, clients, source="127.0.0.10")
    clients.pop().abort()
    wait_until(lambda: is_let_in(broker, clients, source="127.0.0.10"), "there is a place again")
    close(clients + others)


def test_http_is_answered_429_and_signed_calls_are_not_counted(broker):
    clients, source = [], "127.0.0.12"
    assert sum(is_let_in(broker, clients, source=source) for _ in range(ROOM)) == ROOM
    for path in ("/ready", "/nothing", "/apps/1/channels", "/apps/1/channels?auth_key=app-key&auth_signature=00"):
        status, headers, body = get(broker, source, path)
        assert status == 429 and "Too many connections from your address" in json.loads(body)["error"], (path, status, body)
        assert headers["Retry-After"] == "1" and headers["Connection"] == "close"
    signed = []
    for _ in range(2 * ROOM):
        call = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=DEADLINE, source_address=(source, 0))
        for path, status in (("/apps/1/channels", 200), ("/apps/1/channels/-%20-", 400)):
            call.request("GET", target("GET", path, None, {}, key="app-key", secret="app-secret"))
            reply = call.getresponse()
            assert (reply.status, bool(reply.read())) == (status, True)
        signed.append(call)
    assert [get(broker, source)[0] for _ in range(6)] == [429] * 6, "who is not signed is not helped by those who are"
    clients.pop().close()
    wait_until(lambda: get(broker, source)[0] == 200, "the signed ones take no place")
    close(clients + signed)


def test_of_a_trusted_proxy_its_clients_are_counted(broker):
    clients, proxied = [], {"source": "127.0.0.1"}

    def client(address: str) -> bool:
        return is_let_in(broker, clients, headers={"X-Forwarded-For": f"6.6.6.6, {address}"}, **proxied)

    assert sum(client("203.0.113.1") for _ in range(ROOM + 2)) == ROOM
    assert client("203.0.113.2")
    line = [line for line in broker.log().splitlines() if "address_block=203.0.113.1 " in line][-1]
    assert "peer=203.0.113.1 via=127.0.0.1:" in line
    # A network of IPv6 counts as one address.
    assert [client(f"2001:db8:1:1::{n}") for n in range(ROOM + 1)] == [True] * ROOM + [False]
    assert client("2001:db8:1:2::1")
    assert "address_block=2001:db8:1:1::/64 " in broker.log()
    # The proxy's own connections are not counted.
    for _ in range(3 * ROOM):
        assert get(broker, "127.0.0.1")[0] == 200
    for one in [one for one in clients]:
        one.close()
    wait_until(lambda: client("203.0.113.1"), "places of a proxy's clients come back")
    close(clients)


@drives("starling_addresses", "starling_addresses_uncounted_total")
def test_who_was_refused_by_another_limit_gives_his_place_back():
    with Broker({"connectionsPerAddress": 2, "trustProxy": ["127.0.0.1"], "apps": [app(limits={"connections": 1})]}) as broker:
        def enter(**options) -> RawClient | None:
            """A client; nil while its app is full."""
            client = RawClient(broker, handshake=False, **options)
            client.read_upgrade()
            said = client.receive()
            if said["event"] == "pusher:connection_established":
                return client
            assert said["data"]["code"] == 4004, said
            return client.close()

        for options in ({"source": "127.0.0.10"}, {"headers": {"X-Forwarded-For": "203.0.113.1"}}):
            client = wait_until(lambda: enter(**options), "the app has room")
            assert not any([enter(**options) for _ in range(5)])
            assert scrape(broker)["starling_addresses"] == 1
            client.close()
            wait_until(lambda: scrape(broker)["starling_addresses"] == 0, "nobody is counted any more")
        assert scrape(broker)["starling_addresses_uncounted_total"] == 0


def test_so_many_new_ones_in_a_second():
    rate = 2
    with Broker({"connectionsPerAddressPerSecond": rate, "loops": 2, "apps": [app()]}) as broker:
        clients = []
        began = time.monotonic()
        let_in = sum(is_let_in(broker, clients, source="127.0.0.10") for _ in range(100))
        passed = time.monotonic() - began
        assert rate <= let_in <= rate + rate * passed + 1, passed
        assert hits(broker, "connectionsPerAddressPerSecond") == 100 - let_in
        if let_in < 100:
            assert f"new connections from your address: {rate} a second are allowed" in broker.log()
        close(clients)

        def is_refused() -> bool:
            status, _, body = get(broker, "127.0.0.20")
            assert status == 200 or (status == 429 and "Too many new connections" in json.loads(body)["error"])
            return status == 429

        # Signed calls are answered, and take nothing of what is left.
        for _ in range(6 * rate):
            call = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=DEADLINE, source_address=("127.0.0.30", 0))
            call.request("GET", target("GET", "/apps/1/channels", None, {}, key="app-key", secret="app-secret"))
            assert call.getresponse().status == 200
            call.close()
        assert all([is_let_in(broker, clients, source="127.0.0.30") for _ in range(rate)])

        # More than so many at once, however slow this machine is.
        wait_until(lambda: any(is_refused() for _ in range(20)), "HTTP is limited, too")
        # A second without any is enough.
        wait_until(lambda: is_let_in(broker, clients, source="127.0.0.10"), "they come again")
        close(clients)


def test_those_who_are_told_later_have_a_bound():
    told_later = 1_024
    with Broker({"connectionsPerAddress": 1, "loops": 1, "apps": [app()]}) as broker:
        silent = [socket.create_connection(("127.0.0.1", broker.port), DEADLINE, ("127.0.0.10", 0))
                  for _ in range(1 + told_later + 20)]
        for one in silent[1 + told_later:]:
            try:
                assert one.recv(1) == b""
            except ConnectionResetError:
                pass
        assert hits(broker, "connectionsPerAddress") == 20
        one = silent[5]
        one.sendall(upgrade_request("/app/app-key?protocol=7"))
        wait_until(lambda: b"your address" in one.recv(2_000) or None, "the others wait to be told")
        for one in silent:
            one.close()
        wait_until(lambda: scrape(broker)["starling_addresses"] == 0, "nobody is counted any more")


def test_the_address_of_a_proxy_header_is_the_one_that_is_counted():
    with Broker({"connectionsPerAddress": 1, "proxyProtocol": True, "trustProxy": ["127.0.0.1"], "apps": [app()]}) as broker:
        clients = []
        for told in ("192.0.2.1", "192.0.2.2"):
            header = f"PROXY TCP4 {told} 198.51.100.1 1 2\r\n".encode()
            assert [is_let_in(broker, clients, preamble=header) for _ in range(3)] == [True, False, False]
        # Its own connections are the proxy's, which is trusted.
        own = b"PROXY UNKNOWN\r\n"
        for _ in range(3):
            with RawClient(broker, request=b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n", preamble=own, handshake=False) as raw:
                assert raw.read_head() == 200
        close(clients)


def test_a_reload_sets_and_lifts_the_limit():
    with Broker({"loops": 2, "apps": [app()]}) as broker:
        def reload(**changes) -> None:
            done = broker.log().count("msg=reloaded")
            with open(broker.directory.name + "/config.json", "w") as file:
                json.dump({**broker.config, **changes}, file)
            broker.process.send_signal(signal.SIGHUP)
            wait_until(lambda: broker.log().count("msg=reloaded") > done, "the settings are in force")

        clients = []
        assert all(is_let_in(broker, clients, source="127.0.0.10") for _ in range(4))
        reload(connectionsPerAddress=2)
        # Those that are here stay, and are not counted.
        assert [is_let_in(broker, clients, source="127.0.0.10") for _ in range(4)] == [True, True, False, False]
        waiting = socket.create_connection(("127.0.0.1", broker.port), DEADLINE, ("127.0.0.10", 0))
        assert get(broker, "127.0.0.10")[0] == 429
        reload()
        assert is_let_in(broker, clients, source="127.0.0.10")
        waiting.sendall(upgrade_request("/app/app-key?protocol=7"))
        wait_until(lambda: b"connection_established" in waiting.recv(2_000) or None, "what is lifted is lifted")
        clients[0].nothing_until_pong()
        waiting.close()
        close(clients)
        wait_until(lambda: scrape(broker)["starling_addresses"] == 0, "nobody is counted any more")
