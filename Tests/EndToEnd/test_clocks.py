"""Times: of requests and of connections without one (PW §6.1, B5), of signatures (§6.2), of days, and of the `Date` line."""

import select
import time

import pytest

from clock import Clock
from harness import Broker, app
from http_tools import Caller, Raw, assert_error, assert_success, event, plain
from rawclient import RawClient, upgrade_request
from signing import target

# The clock of requests starts at their first byte


@pytest.fixture(scope="module")
def hasty():
    with Broker({"keepAliveSeconds": 1, "apps": [app()]}) as running:
        yield running


def test_pw_154_a_connection_without_a_request_is_closed_without_a_word(hasty):
    """PW-154: an unasked 408 would be taken for the answer to the next request. Empty lines are no request (RFC 9112 §2.2)."""
    openings = {"nothing": b"", "an empty line": b"\r\n", "a request": plain(), "a request and an empty line": plain() + b"\r\n",
                "a refused one": plain("GET", "/nothing"), "a chunked one": plain("GET", "/up", "Transfer-Encoding: chunked",
                                                                             body=b"0\r\n\r\n")}
    began = time.monotonic()
    pooled = {name: Raw(hasty).send(opening) for name, opening in openings.items()}
    for name, connection in pooled.items():
        with connection:
            if b"HTTP" in openings[name]:
                assert connection.reply().status == (404 if "refused" in name else 200)
            since = time.monotonic()
            assert connection.rest() == b"", name
            # They were opened together, so only the first has all its time before it.
            assert time.monotonic() - since > 0.8 or name != "nothing", "closed before the keep-alive time"
    assert time.monotonic() - began < 6, "one of them had the 8 s of a request"


def test_pw_154_the_keep_alive_time_counts_from_the_last_request(hasty):
    """PW-154"""
    with Raw(hasty) as pooled:
        select.select([pooled.socket], [], [], 0.3)
        assert pooled.send(plain()).reply().status == 200
        since = time.monotonic()
        pooled.expect_closed()
        assert time.monotonic() - since > 0.9


def test_pw_154_a_request_that_has_begun_has_its_own_time(hasty):
    """PW-154: half a request, first or second on its connection, outlives the keep-alive time, and so does a WebSocket."""
    with Raw(hasty) as first, Raw(hasty) as second, hasty.client() as client, Raw(hasty) as chunked:
        assert second.send(plain()).reply().status == 200
        for each in (first, second):
            each.send(plain()[:-2])
        chunked.send(plain("GET", "/ready", "Transfer-Encoding: chunked", body=b"1"))
        # Opened behind them, and closed before them.
        with Raw(hasty) as idle:
            idle.expect_closed()
        for each, rest in ((first, "\r\n"), (second, "\r\n"), (chunked, "\r\nx\r\n0\r\n\r\n")):
            assert each.send(rest).reply().status == 200
        client.nothing_until_pong()


# The wall clock, which the test sets

T = 1_800_000_000


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path, T)


def test_pw_126_the_window_is_exact_at_each_step_of_the_clock(clock):
    """PW-126: the clock is read for each request, so that 599 s pass and 600 s do not, to the second, at once."""
    with Broker({"apps": [app()]}, env=clock.environment) as broker:
        call, body = Caller(broker), event("c")
        for now in [*range(T, T + 20), T + 100_000, T - 100_000]:
            clock.set(now)
            for offset, status in ((-601, 401), (-600, 401), (-599, 200), (599, 200), (600, 401), (601, 401)):
                reply = call.send("POST", target("POST", "/apps/1/events", body, now=now + offset), body)
                assert reply.status == status, (now - T, offset, reply)
                if status == 401:
                    assert_error(reply, 401, f"server's time {now} ")


def test_the_wall_clock_is_followed_whoever_looks_at_it(clock):
    """PW-126 (C25): an hour, a day and a year later calls are accepted, and the day's quota is new for API and clients alike."""
    limits = {"messagesPerDay": 2}
    with Broker({"apps": [app(limits=limits)]}, env=clock.environment) as broker, broker.client() as client:
        client.subscribe("private-a")
        body = event("c")
        midnight = T - T % 86_400

        def publish():
            return Caller(broker).send("POST", target("POST", "/apps/1/events", body, now=clock.now), body)

        for day in (1, 2, 365):
            # A client's message of its own, so that nothing but the loop's turn has looked at the clock.
            clock.set(midnight + day * 86_400)
            for _ in range(2):
                client.send("client-e", {}, channel="private-a")
                client.nothing_until_pong()
            client.send("client-e", {}, channel="private-a")
            client.expect_error(4301)
            clock.set(midnight + day * 86_400 + 86_399)
            assert_error(publish(), 403)
        clock.set(midnight + 400 * 86_400)
        assert [publish().status for _ in range(3)] == [200, 200, 403]


def test_every_answer_has_the_date(clock):
    """RFC 9110 §6.6.1: of the very second, on refusals and upgrades as well."""
    clock.set(784_111_777)
    with Broker({"apps": [app()]}, env=clock.environment) as broker:
        requests = [plain(), plain("HEAD"), plain("OPTIONS", "/apps/1/events"), plain("GET", "/nothing"), plain("PUT"),
                    plain("GET", "/app/app-key"), plain("GET", target("GET", "/apps/1/channels", now=784_111_777)),
                    plain("POST", "/apps/1/events", "Content-Length: 2", body=b"{}"), b"nonsense\r\n\r\n",
                    upgrade_request("/app/app-key"), upgrade_request("/app/nobody"), b"\x16\x03\x01\x00\xc8"]
        for request in requests:
            with Raw(broker) as raw:
                raw.send(request)
                assert raw.head().headers["date"] == "Sun, 06 Nov 1994 08:49:37 GMT", request
        for second in (38, 39, 38):
            clock.set(784_111_740 + second)
            for request in (upgrade_request("/app/app-key"), plain()):
                with Raw(broker) as raw:
                    assert raw.send(request).head().headers["date"] == f"Sun, 06 Nov 1994 08:49:{second} GMT", request


def test_the_clock_is_read_for_each_request(tmp_path):
    """PW-126: requests that came together and were answered in one turn have their own times."""
    with Broker({"apps": [app()]}, env=Clock(tmp_path, T, step=1).environment) as broker, Raw(broker) as raw:
        raw.send(plain() * 5)
        dates = [raw.reply().headers["date"] for _ in range(5)]
        assert len(set(dates)) == 5, dates


# HEAD


@pytest.mark.parametrize("path", ["/app/app-key", "/apps/1/events", "/apps/1/channels", "/ready", "/nothing", "/up/nobody"])
def test_pw_166_head_is_never_upgraded_and_never_has_a_body(broker, path):
    """PW-166, RFC 6455 §4.1: whatever is answered, the next answer begins right behind its head."""
    upgrade = upgrade_request(path, method="HEAD")
    with Raw(broker) as raw:
        plain_head = raw.send(plain("HEAD", path) + plain()).reply(to_head=True)
        assert plain_head.status != 101 and raw.reply().status == 200, plain_head
        refused = raw.send(upgrade).reply(to_head=True)
        assert refused.status == plain_head.status, refused
        if refused.headers["connection"] == "close":
            return raw.expect_closed()
        assert raw.send(plain()).reply().status == 200


# Heads


def cookies(size: int, line: int) -> dict:
    """Cookie lines of about `line` bytes that together have about `size`."""
    return {f"Cookie{n}" if n else "Cookie": "a" * (line - 10) for n in range(size // line)}


@pytest.mark.parametrize("headers", [
    cookies(15_000, 15_000), cookies(15_000, 3_000), cookies(15_500, 65),
    {"Sec-WebSocket-Extensions": "x, " * 4_900}, {"User-Agent": "u" * 7_000, "Origin": "https://" + "o" * 7_000}])
def test_a_handshake_may_have_sixteen_kibibytes_of_head(broker, headers):
    """PW-001: large cookies come with every handshake of a page, in one line or in many."""
    request = upgrade_request("/app/app-key?protocol=7", headers)
    assert 14_000 < len(request) <= 16_384
    with RawClient(broker, request=request) as client:
        client.nothing_until_pong()


def test_a_head_of_more_than_sixteen_kibibytes_is_refused(broker):
    """PW-166"""
    exact = upgrade_request("/app/app-key", {"Cookie": ""})
    for more, status in ((16_384 - len(exact), 101), (16_385 - len(exact), 431)):
        with Raw(broker) as raw:
            raw.send(upgrade_request("/app/app-key", {"Cookie": "c" * more}))
            assert raw.head().status == status
