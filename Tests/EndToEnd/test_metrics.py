"""The metrics page (Prometheus): its form by promtool and prometheus-client, and each family driven to a known value."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import BINARY, DEADLINE, Broker, app, named_app, wait_until
from rawclient import RawClient, frame
from signing import target

TOKEN = "metrics-token-0123456789"


class Page:
    """A page, parsed: `page["starling_connections", {"app_id": "app-id"}]`."""

    def __init__(self, text: str):
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                        for family in self.families.values() for sample in family.samples}

    def __getitem__(self, key) -> float:
        name, labels = key if isinstance(key, tuple) else (key, {})
        return self.samples.get((name, tuple(sorted(labels.items()))), 0)

    def of_app(self, name: str, app_id: str = "app-id", **labels) -> float:
        return self[name, {"app_id": app_id, **labels}]


def scrape(broker: Broker) -> Page:
    return Page(broker.metrics())


def promtool(page: str) -> subprocess.CompletedProcess:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=DEADLINE * 3)


def documented() -> dict[str, tuple]:
    """Family → (type, labels, meaning), as `config docs` has them."""
    docs = subprocess.run([BINARY, "config", "docs"], capture_output=True, text=True, timeout=DEADLINE).stdout
    section = docs.split("## The metrics\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", section, re.MULTILINE)
    return {name: (kind, re.findall(r"`(\w+)`", labels), meaning) for name, kind, labels, meaning in rows}


@pytest.fixture(scope="module")
def broker():
    limits = {"clientEventsPerSecond": 1_000, "readRequestsPerSecond": 1_000, "channelsPerConnection": 3}
    with Broker({"loops": 2, "apps": [app(limits=limits), named_app("other"), named_app("slow", limits={
            "backendEventsPerSecond": 1, "connections": 1})]}) as running:
        yield running


# The form


def test_promtool_and_the_client_of_prometheus_read_the_page(broker):
    with broker.client() as client:
        client.subscribe("secret-room")
        broker.trigger("secret-room", "secret-event", "secret-data")
        client.expect("secret-event", "secret-room")
        broker.request("GET", "/apps/1/channels")
        page = broker.metrics()
    checked = promtool(page)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert len(Page(page).families) >= 50


def test_every_family_is_documented_and_says_what_it_is(broker):
    told = documented()
    page = broker.metrics()
    helps = dict(re.findall(r"^# HELP (\w+) (.+)$", page, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE))
    assert list(helps) == list(kinds) == list(told)
    for name, (kind, labels, meaning) in told.items():
        assert kinds[name] == kind and helps[name] == meaning
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        name = re.match(r"\w+", line)[0]
        family = name if name in told else re.sub(r"_(bucket|sum|count)$", "", name)
        written = [label for label in re.findall(r'(\w+)="', line) if label != "le"]
        assert written == told[family][1], line


def test_the_page_says_its_type_and_closes_the_connection(broker):
    status, headers, body = broker.request("GET", "/metrics", port=broker.metrics_port)
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Connection"] == "close" and int(headers["Content-Length"]) == len(body)
    status, headers, nothing = broker.request("HEAD", "/metrics", port=broker.metrics_port)
    assert status == 200 and int(headers["Content-Length"]) > 1_000 and nothing == b""


def test_neither_a_secret_nor_the_name_of_a_channel_is_on_the_page(broker):
    with broker.client() as client:
        client.sign_in("hidden-user") if hasattr(client, "sign_in") else None
        for channel in ("hidden-channel", "presence-hidden-channel"):
            client.join(channel, "hidden-user") if channel.startswith("presence-") else client.subscribe(channel)
        client.send_raw('{"event":"pusher:subscribe","data":{"channel":"private-hidden-channel","auth":"app-key:hidden"}}')
        broker.api("GET", "/channels/hidden-channel")
        broker.request("GET", "/app/hidden-key")
        page = broker.metrics()
    for word in ("hidden", "app-secret", "app-key", "other-secret", "other-key", client.socket_id):
        assert word not in page, word


# Who may ask, and what else is there


def test_a_token_is_asked_for():
    with Broker({"metrics": {"token": TOKEN}, "apps": [app()]}) as running:
        def ask(path, **headers):
            return running.request("GET", path, headers=headers, port=running.metrics_port)

        for path in ("/metrics", "/usage"):
            for headers in ({}, {"Authorization": TOKEN}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "},
                            {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
                status, said, body = ask(path, **headers)
                assert status == 401 and said["WWW-Authenticate"] == "Bearer" and TOKEN.encode() not in body, (path, headers)
            assert ask(path, Authorization=f"Bearer {TOKEN}")[0] == 200
            assert ask(path, authorization=f"bearer {TOKEN}")[0] == 200
        for path in ("/", "/ready", "/live", "/up"):
            assert ask(path)[0] == 200
        assert TOKEN not in running.log()


def test_the_token_may_stand_in_a_file(tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    with Broker({"apps": [app()]}, env={"STARLING_METRICS_TOKEN_FILE": str(tmp_path / "token")}) as running:
        assert running.request("GET", "/metrics", port=running.metrics_port)[0] == 401
        assert "starling_connections" in running.metrics(Authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/ready", 200), ("GET", "/live", 200), ("GET", "/up", 200), ("GET", "/up/1", 200), ("GET", "/up/nobody", 404),
    ("GET", "/usage", 200), ("GET", "/", 200), ("POST", "/metrics", 405), ("GET", "/apps/1/channels", 404),
    ("GET", "/app/app-key", 404), ("GET", "/metrics/", 404),
])
def test_what_else_the_listener_answers(broker, method, path, status):
    assert broker.request(method, path, port=broker.metrics_port)[0] == status


def test_the_metrics_are_not_on_the_port_of_the_clients(broker):
    assert broker.request("GET", "/metrics")[0] == 404


def test_soketis_names_have_the_prefix_that_was_asked_for():
    env = {"SOKETI_METRICS_ENABLED": "1", "SOKETI_METRICS_PROMETHEUS_PREFIX": "chat_", "SOKETI_METRICS_HOST": "127.0.0.1"}
    with Broker({"apps": [app()]}, env=env) as running, running.client():
        page = scrape(running)
        assert page.of_app("chat_connected", port=str(running.port)) == 1
        assert promtool(page.text).returncode == 0


def test_it_can_be_switched_off():
    with Broker({"metrics": {"enabled": False}, "apps": [app()]}) as running:
        assert running.metrics_port is None and "metrics=none" in running.log()


def test_a_port_that_is_taken_stops_only_whom_asked_for_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(RuntimeError, match=f"cannot serve the metrics on 127.0.0.1:{port}"):
            Broker({"apps": [app()]}, env={"STARLING_METRICS_PORT": port}).start()
    # Nothing was said: empty variables count as unset. Whoever else has the port, us or another, both start.
    with Broker({"apps": [app()]}, env={"STARLING_METRICS_PORT": ""}) as one, \
            Broker({"apps": [app()]}, env={"STARLING_METRICS_PORT": ""}) as other:
        assert one.metrics_port in (9601, None) and other.metrics_port is None
        assert 'msg="no metrics" address=127.0.0.1:9601' in other.log()


# Scrapers


def test_scrapers_who_do_not_read_hold_up_nobody(broker):
    held = []
    try:
        for _ in range(30):
            one = socket.create_connection(("127.0.0.1", broker.metrics_port), timeout=DEADLINE)
            held.append(one)
        for one in held[::2]:
            try:
                one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                pass  # one too many: cut off
        with broker.client() as client:
            client.subscribe("while-scraped")
            broker.trigger("while-scraped", "e", "d")
            client.expect("e", "while-scraped")
    finally:
        for one in held:
            one.close()
    wait_until(lambda: broker.request("GET", "/live", port=broker.metrics_port)[0] == 200 if not refused(broker) else False,
               "the scrapers' places are free again")


def refused(broker) -> bool:
    try:
        broker.request("GET", "/live", port=broker.metrics_port)
        return False
    except OSError:
        return True


def test_a_broker_that_drains_is_not_ready_and_still_scraped():
    with Broker({"shutdownGraceSeconds": 30, "apps": [app()]}) as running, RawClient(running) as _:
        assert scrape(running)["starling_ready"] == 1
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: scrape(running)["starling_ready"] == 0, "it drains")
        assert running.request("GET", "/ready", port=running.metrics_port)[0] == 503


def test_a_thousand_apps_make_a_page_of_bounded_size():
    apps = [{"id": f"app-{n}", "key": f"k{n}", "secret": f"s{n}"} for n in range(1_000)]
    with Broker({"metrics": {"apps": 50}, "apps": apps}) as running:
        with running.client(key="k7", secret="s7"), running.client(key="k700", secret="s700"), \
                running.client(key="k999", secret="s999"):
            page = scrape(running)
        assert page.of_app("starling_connections", "app-7") == 1
        assert page.of_app("starling_connections", "other apps") == 2
        assert page.of_app("starling_connections_opened_total", "other apps") == 2
        assert 'app_id="app-50"' not in page.text and len(page.text) < 250_000
        assert promtool(page.text).returncode == 0


# Each family


def test_connections_and_their_ends(broker):
    before = scrape(broker)
    opened = before.of_app("starling_connections_opened_total", "other")
    with broker.client_of("other"), broker.client_of("other"):
        page = scrape(broker)
        assert page.of_app("starling_connections", "other") == 2
        assert page.of_app("starling_connections_opened_total", "other") == opened + 2
        assert page.of_app("soketi_connected", "other", port=str(broker.port)) == 2
        assert page["starling_sockets", {"kind": "websocket"}] >= 2
    wait_until(lambda: scrape(broker).of_app("starling_connections", "other") == 0, "both have left")
    page = scrape(broker)
    closed = {"by": "client", "code": "1000"}
    assert page["starling_closes_total", closed] == before["starling_closes_total", closed] + 2
    assert page.of_app("soketi_new_disconnections_total", "other", port=str(broker.port)) == opened + 2


def test_subscriptions_and_channels_by_kind(broker):
    before = scrape(broker)
    with broker.client() as one, broker.client() as two:
        one.subscribe("kinds")
        two.subscribe("kinds")
        two.join("presence-cache-kinds", "u")
        page = scrape(broker)
        for kind, subscriptions, channels in (("public", 2, 1), ("presence_cache", 1, 1), ("private", 0, 0)):
            for family, count in (("subscriptions", subscriptions), ("channels", channels)):
                name = f"starling_{family}"
                assert page[name, {"kind": kind}] - before[name, {"kind": kind}] == count, (family, kind)
        assert page.of_app("starling_app_channels") - before.of_app("starling_app_channels") == 2
        assert page["starling_subscribes_total", {"kind": "public"}] - before["starling_subscribes_total", {"kind": "public"}] == 2
    wait_until(lambda: scrape(broker)["starling_subscriptions", {"kind": "public"}]
               == before["starling_subscriptions", {"kind": "public"}], "all have left")


def test_events_deliveries_messages_and_their_bytes(broker):
    with broker.client() as one, broker.client() as two:
        for client in (one, two):
            client.subscribe("private-count")
        before = scrape(broker)
        frames = []
        broker.trigger("private-count", "e", "d" * 100)
        frames += [one.expect("e", "private-count"), two.expect("e", "private-count")]
        broker.trigger("private-count", "e", "d", socket_id=one.socket_id)
        two.expect("e", "private-count")
        assert broker.api("POST", "/batch_events", {"batch": [
            {"channel": "private-count", "name": "b", "data": "1"}, {"channel": "nobody", "name": "b", "data": "1"}]})[0] == 200
        one.expect("b", "private-count"), two.expect("b", "private-count")
        one.send_raw('{"event":"client-c","channel":"private-count","data":"x"}')
        two.expect("client-c", "private-count")
        page = scrape(broker)

        def grown(name, **labels):
            return page.of_app(name, **labels) - before.of_app(name, **labels)

        assert [grown("starling_events_total", source=source) for source in ("api", "batch", "client")] == [2, 2, 1]
        assert grown("starling_deliveries_total") == 2 + 1 + 2 + 1
        assert grown("starling_messages_sent_total") == 6
        assert grown("starling_messages_received_total") == 1
        assert grown("starling_message_received_bytes_total") == len('{"event":"client-c","channel":"private-count","data":"x"}')
        least = sum(len(str(each["data"])) for each in frames)
        assert grown("starling_message_sent_bytes_total") > least
        assert grown("soketi_ws_messages_sent_total", port=str(broker.port)) == 6
        assert grown("soketi_socket_transmitted_bytes", port=str(broker.port)) == grown("starling_message_sent_bytes_total")
        # Once for each event and loop: each was on one loop or on both.
        measured = page["starling_delivery_seconds_count"] - before["starling_delivery_seconds_count"]
        assert 4 <= measured <= 8
        assert page["starling_delivery_seconds_bucket", {"le": "+Inf"}] == page["starling_delivery_seconds_count"]
        assert page["starling_delivery_seconds_sum"] > before["starling_delivery_seconds_sum"]
        assert page["starling_sent_bytes_total"] - before["starling_sent_bytes_total"] > least


def test_an_exclusion_of_somebody_else_takes_nobody_away(broker):
    with broker.client() as one, broker.client() as stranger:
        one.subscribe("not-here")
        before = scrape(broker).of_app("starling_deliveries_total")
        broker.trigger("not-here", "e", "d", socket_id=stranger.socket_id)
        one.expect("e", "not-here")
        assert scrape(broker).of_app("starling_deliveries_total") == before + 1


def test_http_by_route_and_status(broker):
    before = scrape(broker)
    assert broker.api("GET", "/channels")[0] == 200
    assert broker.api("GET", "/channels/a/users")[0] == 400
    assert broker.request("GET", "/apps/1/channels")[0] == 401
    assert broker.request("GET", "/nowhere")[0] == 404
    assert broker.request("GET", "/up")[0] == 200
    page = scrape(broker)
    for route, status in (("channels", "200"), ("users", "400"), ("channels", "401"), ("unknown", "404"), ("health", "200")):
        labels = {"route": route, "status": status}
        assert page["starling_http_requests_total", labels] - before["starling_http_requests_total", labels] == 1, labels
    calls = {"port": str(broker.port)}
    assert page.of_app("soketi_http_calls_received_total", **calls) - before.of_app("soketi_http_calls_received_total", **calls) == 3
    asked = len(target("GET", "/apps/1/channels", None, {}, key="app-key", secret="app-secret"))
    assert page.of_app("starling_http_received_bytes_total") - before.of_app("starling_http_received_bytes_total") > asked
    assert page.of_app("starling_http_sent_bytes_total") > before.of_app("starling_http_sent_bytes_total")


def test_refusals_and_limits(broker):
    before = scrape(broker)

    def grown(name, **labels):
        return page[name, labels] - before[name, labels]

    slow = {"app_id": "slow", "key": "slow-key", "secret": "slow-secret"}
    statuses = [broker.api("POST", "/events", {"name": "e", "channels": ["c"], "data": "d"}, **slow)[0] for _ in range(4)]
    with broker.client_of("slow"), broker.client() as client:
        with broker.client_of("slow", handshake=False) as late:
            assert late.receive()["data"]["code"] == 4004
        for number in range(4):
            client.send_raw(f'{{"event":"pusher:subscribe","data":{{"channel":"c{number}"}}}}')
        client.send_raw('{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"app-key:00"}}')
        wait_until(lambda: scrape(broker)["starling_refusals_total", {"kind": "subscription", "code": "401"}]
                   > before["starling_refusals_total", {"kind": "subscription", "code": "401"}], "the signature was refused")
        page = scrape(broker)
    assert grown("starling_limit_hits_total", limit="backendEventsPerSecond") == statuses.count(429) >= 2
    assert grown("starling_refusals_total", kind="limit", code="429") == statuses.count(429)
    assert grown("starling_limit_hits_total", limit="connections") == 1
    assert grown("starling_limit_hits_total", limit="channelsPerConnection") == 1
    assert grown("starling_refusals_total", kind="handshake", code="4004") == 1


def test_slow_consumers_and_what_waits_for_them():
    with Broker({"backlogBytes": 65_536, "apps": [app(limits={"eventDataBytes": 10_000})]}) as running, \
            RawClient(running, receive_buffer=4_096) as stalled:
        stalled.join("presence-slow", "u")

        def push():
            running.trigger("presence-slow", "e", "x" * 10_000)
            return scrape(running)

        page = wait_until(lambda: (got := push())["starling_backlog_bytes"] > 0 and got, "something waits", DEADLINE * 3)
        assert page["starling_backlog_memory_bytes"] >= page["starling_backlog_bytes"]
        assert page["starling_backlog_limit_bytes"] == 134_217_728 and page["starling_short_writes_total"] > 0
        wait_until(lambda: push()["starling_slow_consumer_closes_total", {"limit": "backlogBytes"}] == 1, "it was cut off", DEADLINE * 3)
        page = scrape(running)
        assert page["starling_refusals_total", {"kind": "slow_consumer", "code": "4100"}] == 1
        assert page["starling_closes_total", {"by": "server", "code": "4100"}] == 1


def test_input_that_is_not_whole_is_shown(broker):
    with RawClient(broker) as client:
        before = scrape(broker)["starling_input_bytes"]
        whole = frame(1, b"x" * 3_000)
        client.socket.sendall(whole[:2_000])
        wait_until(lambda: scrape(broker)["starling_input_bytes"] >= before + 1_900, "a part of a message waits")


def test_the_process_and_its_loops(broker):
    page = scrape(broker)
    info = next(s for s in page.families["starling_build_info"].samples)
    assert info.value == 1 and info.labels["version"] and info.labels["swift"].startswith("6") and info.labels["openssl"].startswith("3.")
    assert abs(page["process_resident_memory_bytes"] - broker.resident_bytes()) < 4 << 20
    assert abs(page["process_open_fds"] - broker.descriptors()) <= 3
    assert page["process_max_fds"] >= page["process_open_fds"] and page["process_cpu_seconds_total"] > 0
    assert 0 < page["process_start_time_seconds"] and page["starling_memory_limit_bytes"] > page["process_resident_memory_bytes"]
    assert page["starling_loops"] == 2 and page["starling_silent_loops"] == 0 and page["starling_ready"] == 1
    for loop in "01":
        for family in ("turn", "lag"):
            assert page[f"starling_loop_{family}_seconds_count", {"loop": loop}] > 0
            assert page[f"starling_loop_{family}_seconds_bucket", {"le": "+Inf", "loop": loop}] == page[
                f"starling_loop_{family}_seconds_count", {"loop": loop}]
        assert page["starling_queued_bytes", {"loop": loop}] >= 0
    assert page["starling_accepts_total"] > 0 and page["starling_received_bytes_total"] > 0
    later = scrape(broker)
    assert later["starling_loop_turn_seconds_count", {"loop": "0"}] > page["starling_loop_turn_seconds_count", {"loop": "0"}]


