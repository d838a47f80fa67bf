"""`memory.limit`: the process stays below it by itself, before the kernel ends it (reliability S1, S2)."""

import json
import pathlib
import signal
import subprocess
import threading
import time

import pytest

import harness
from harness import Broker, app, wait_until
from logfmt import lines
from memory_group import MemoryGroup
from metrics_page import drives, scrape
from rawclient import RawClient
from session import Closed

pytestmark = pytest.mark.memory
MEGABYTE = 1 << 20
TEXT = "The server is short of memory and takes no more connections: reconnect later"


def said(broker, message: str) -> list[dict]:
    return [line for line in lines(broker.log()) if line["msg"] == message]


def reload(broker, **changes) -> None:
    broker.config = {**broker.config, **changes}
    (pathlib.Path(broker.directory.name) / "config.json").write_text(json.dumps(broker.config))
    before = scrape(broker)["starling_reloads_total", {"outcome": "applied"}]
    broker.process.send_signal(signal.SIGHUP)
    wait_until(lambda: scrape(broker)["starling_reloads_total", {"outcome": "applied"}] > before, "it was reloaded")


@drives("starling_memory_limit_bytes", "starling_memory_used_bytes", "starling_memory_pressure", "starling_memory_refusals_total")
def test_short_of_memory_newcomers_are_refused_with_a_sentence_and_health_is_answered():
    settings = {"memory": {"limit": "off"}, "apps": [app()]}
    with Broker(settings) as broker, broker.client() as old:
        old.subscribe("room")
        assert scrape(broker)["starling_memory_limit_bytes"] == 0
        reload(broker, memory={"limit": MEGABYTE})
        wait_until(lambda: scrape(broker)["starling_memory_pressure"] == 2, "it is short, and by much")
        for _ in range(3):
            with RawClient(broker, handshake=False) as new:
                new.read_upgrade()
                assert new.expect_error(4100) == TEXT
                with pytest.raises(Closed) as closed:
                    new.receive()
                assert closed.value.code == 4100
        body = json.dumps({"name": "e", "channel": "room", "data": "x"}).encode()
        for method, path, raw in (("GET", "/apps/1/channels", None), ("POST", "/apps/1/events", body),
                                  ("POST", "/users/u/terminate_connections?auth_key=app-key", b"{}")):
            status, headers, reply = broker.request(method, path, raw)
            assert status == 503 and headers["Retry-After"] == "1" and b"short of memory" in reply, (path, status, reply)
        for path in ("/live", "/", "/up", "/usage"):
            assert broker.request("GET", path)[0] == 200, path
        for port in (broker.port, broker.metrics_port):  # PW-185: balancers send clients to others meanwhile
            status, _, reply = broker.request("GET", "/ready", port=port)
            assert status == 503 and b"memory" in reply
        old.nothing_until_pong()
        page = scrape(broker)
        assert page["starling_memory_limit_bytes"] == MEGABYTE
        assert abs(page["starling_memory_used_bytes"] - broker.resident_bytes()) < 4 * MEGABYTE
        assert page["starling_memory_refusals_total", {"cause": "connection"}] == 3
        assert page["starling_memory_refusals_total", {"cause": "call"}] == 3
        assert page["starling_memory_total_bytes"] > page["starling_memory_used_bytes"]
        [short] = said(broker, "memory is short")
        assert short["level"] == "warning" and short["limit_bytes"] == str(MEGABYTE)
        reload(broker, memory={"limit": "80%"})
        wait_until(lambda: scrape(broker)["starling_memory_pressure"] == 0, "there is enough")
        broker.trigger("room", "still", "{}")
        old.expect("still", "room")
        assert broker.request("GET", "/ready")[0] == 200
        broker.client().close()
        wait_until(lambda: said(broker, "memory suffices again"), "and it is said")
        [over] = said(broker, "memory suffices again")
        assert over["refused_connections"] == "3" and over["refused_calls"] == "3"


def test_the_largest_backlogs_go_first_and_the_others_lose_nothing():
    """S2 in the small: half of the limit is what ten clients do not read"""
    limit = 64 * MEGABYTE
    settings = {"loops": 2, "memory": {"limit": limit}, "backlogBytes": 1 << 30, "backlogTotalBytes": 8 << 30,
                "apps": [app(limits={"eventDataBytes": 100_000})]}
    with Broker(settings) as broker, broker.client() as healthy:
        large, small = ([RawClient(broker, receive_buffer=4096) for _ in range(count)] for count in (10, 10))
        for client in large:
            client.subscribe("large")
        for client in [*small, healthy]:
            client.subscribe("small")
        sent = 0
        for _ in range(5):
            broker.trigger("small", "load", f"{sent:06}" + "x" * 50_000)
            sent += 1

        def closed():
            return scrape(broker)["starling_slow_consumer_closes_total", {"limit": "memory.limit"}]

        deadline = time.monotonic() + 60
        while not closed():
            assert time.monotonic() < deadline
            for _ in range(20):  # two megabytes for each of the large ones
                status = broker.api("POST", "/events", {"name": "load", "channel": "large", "data": "x" * 99_000})[0]
                assert status in (200, 503)
        wait_until(lambda: scrape(broker)["starling_memory_pressure"] == 0, "it is over", 30)
        assert broker.resident_bytes() < limit
        count = broker.api("GET", "/channels/small", params={"info": "subscription_count"})[1]
        assert count["subscription_count"] == 11, "who holds little stays"
        for number in range(sent):
            assert healthy.expect("load", "small")["data"][:6] == f"{number:06}"
        broker.trigger("small", "still", "{}")
        healthy.expect("still", "small")
        page = scrape(broker)
        assert page["starling_slow_consumer_closes_total", {"limit": "backlogTotalBytes"}] == 0
        assert 1 <= len(said(broker, "memory is short")) < 5
        reasons = [line["reason"] for line in said(broker, "refused") if line["kind"] == "slow_consumer" and "suppressed" not in line]
        assert reasons and all("memory.limit" in reason for reason in reasons), reasons
        for client in large + small:
            client.close()


def test_at_rest_it_holds_little():
    """What only the start has read of the program and its libraries does not stay"""
    with Broker({"apps": [app()]}) as broker:
        wait_until(lambda: broker.resident_bytes() < 12 * MEGABYTE, "the start's memory is given back")


# In a control group


GROUP_BYTES = 512 * MEGABYTE
LOAD = {"slow": 2_000, "healthy": 200, "rate": 200, "seconds": 20}


def run_load(group, memory_limit: str, tmp_path) -> dict:
    """S1's load: clients who read nothing on the channel of those who read all, exactly checked by `starling bench`. Of backlogs only
    `memory.limit` sees too much."""
    settings = {"memory": {"limit": memory_limit}, "backlogBytes": 1 << 30, "backlogTotalBytes": 64 << 30, "apps": [app()]}
    with group.broker(settings) as broker:
        report = tmp_path / "report.json"
        bench = subprocess.Popen(
            [harness.BINARY, "bench", "fanout", "--port", str(broker.port), "--subscribers", str(LOAD["healthy"]), "--rate",
             str(LOAD["rate"]), "--payload", "1024", "--warmup", "5", "--duration", str(LOAD["seconds"]), "--quiet", "--json",
             str(report), "--allow", "rejected,errors"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        slow, stop = [], threading.Event()

        def come():
            while not stop.is_set() and len(slow) < LOAD["slow"] and broker.is_running:
                try:
                    client = RawClient(broker, receive_buffer=4096)
                    client.subscribe(channel)
                    slow.append(client)
                except (OSError, EOFError, Closed, AssertionError, TimeoutError):
                    stop.wait(0.05)  # refused, as all newcomers are for a while

        def bench_channel():
            status, reply = broker.api("GET", "/channels")
            return status == 200 and next(iter(reply["channels"]), None)

        peak, short = 0, 0
        try:
            channel = wait_until(bench_channel, "the healthy ones have come")
            comer = threading.Thread(target=come)
            comer.start()
            while bench.poll() is None:
                if broker.is_running:
                    peak = max(peak, broker.resident_bytes())
                    short = max(short, len(said(broker, "memory is short")))
                time.sleep(0.1)
        finally:
            stop.set()
            comer.join()
            bench.kill()
            bench.communicate()
        closed = scrape(broker)["starling_slow_consumer_closes_total", {"limit": "memory.limit"}] if broker.is_running else 0
        for client in slow:
            client.close()
        return {"running": broker.is_running, "kills": group.kills, "peak": group.peak_bytes, "resident": peak, "short": short,
                "slow": len(slow), "closed": closed,
                "report": json.loads(report.read_text()) if report.exists() else None}


@pytest.fixture
def group():
    made = MemoryGroup.make(GROUP_BYTES)
    if made is None:
        pytest.skip("no control group of memory can be made here")
    with made:
        yield made


@pytest.mark.long
def test_in_512_mib_nobody_is_killed_and_who_reads_loses_nothing(group, tmp_path):
    """S2: with S1's load, a fifth of its slow consumers, and no other limit in the way"""
    got = run_load(group, "80%", tmp_path)
    print(got)
    assert got["running"] and got["kills"] == 0
    assert got["short"] and got["closed"], "the load was enough"
    assert got["peak"] <= GROUP_BYTES, "the group's own limit"
    figures = got["report"]["figures"]
    assert figures["deliveries"] == figures["expected"] > 0 and figures["connections_lost"] == 0, figures
    assert figures["lost"] == figures["duplicated"] == figures["reordered"] == 0, figures
    assert figures["accepted"] > 100, "and it goes on"


@pytest.mark.long
def test_without_the_limit_the_same_load_ends_in_a_kill(group, tmp_path):
    """So that the test before this one shows something"""
    got = run_load(group, "off", tmp_path)
    assert not got["running"] and got["kills"] == 1
