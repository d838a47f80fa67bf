"""The metrics page (Prometheus): its form by promtool and prometheus-client, who may ask, and who asks without reading."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import DEADLINE, Broker, app, named_app, wait_until
from metrics_page import Page, documented, scrape
from rawclient import RawClient

TOKEN = "metrics-token-0123456789"


def promtool(page: str) -> subprocess.CompletedProcess:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=DEADLINE * 3)


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
