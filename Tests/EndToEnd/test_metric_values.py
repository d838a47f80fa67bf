"""Each family of the metrics page, driven to a known value; and that there is no family without such a test."""

from __future__ import annotations

import datetime
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import subprocess
import time

import pytest
from cryptography import x509

from certificates import Authority
from harness import BINARY, DEADLINE, Broker, app, named_app, select_nothing, wait_until
import test_addresses, test_faults, test_memory_limit, test_proxy_protocol  # noqa: E401,F401  they drive families too
from metrics_page import DRIVEN, documented, drives, scrape
from rawclient import RawClient, frame
from receiver import Answer, Receiver
from signing import target
from webhook_tools import broker_with, endpoint, wait_told


@pytest.fixture(scope="module")
def broker():
    limits = {"clientEventsPerSecond": 1_000, "readRequestsPerSecond": 1_000, "channelsPerConnection": 3}
    with Broker({"loops": 2, "connections": 400, "apps": [app(limits=limits), named_app("other"), named_app("slow", limits={
            "backendEventsPerSecond": 1, "connections": 1})]}) as running:
        yield running


@pytest.fixture()
def fresh():
    """Nobody has connected to it yet, and it has one loop, so that what is counted is exactly what a test does."""
    with Broker({"loops": 1, "apps": [app()]}) as running:
        yield running


def test_no_family_is_without_a_test_that_drives_it():
    assert sorted(DRIVEN) == sorted(documented())


# Connections, subscriptions, events


@drives("starling_connections", "starling_connections_opened_total", "starling_closes_total", "soketi_connected",
        "soketi_new_connections_total", "soketi_new_disconnections_total")
def test_connections_and_their_ends(broker):
    before = scrape(broker)
    opened = before.of_app("starling_connections_opened_total", "other")
    with broker.client_of("other"), broker.client_of("other"):
        page = scrape(broker)
        assert page.of_app("starling_connections", "other") == 2
        assert page.of_app("starling_connections_opened_total", "other") == opened + 2
        assert page.of_app("soketi_connected", "other", port=str(broker.port)) == 2
        assert page.of_app("soketi_new_connections_total", "other", port=str(broker.port)) == opened + 2
    wait_until(lambda: scrape(broker).of_app("starling_connections", "other") == 0, "both have left")
    page = scrape(broker)
    closed = {"by": "client", "code": "1000"}
    assert page["starling_closes_total", closed] == before["starling_closes_total", closed] + 2
    assert page.of_app("soketi_new_disconnections_total", "other", port=str(broker.port)) == opened + 2


@drives("starling_subscriptions", "starling_subscribes_total", "starling_channels", "starling_app_channels")
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


@drives("starling_events_total", "starling_deliveries_total", "starling_messages_received_total",
        "starling_message_received_bytes_total", "starling_messages_sent_total", "soketi_ws_messages_sent_total",
        "soketi_ws_messages_received_total", "soketi_socket_received_bytes")
def test_events_deliveries_messages_and_their_bytes(broker):
    with broker.client() as one, broker.client() as two:
        for client in (one, two):
            client.subscribe("private-count")
        before = scrape(broker)
        broker.trigger("private-count", "e", "d" * 100)
        one.expect("e", "private-count"), two.expect("e", "private-count")
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
        port = {"port": str(broker.port)}
        assert grown("soketi_ws_messages_sent_total", **port) == 6 and grown("soketi_ws_messages_received_total", **port) == 1
        assert grown("soketi_socket_received_bytes", **port) == grown("starling_message_received_bytes_total")


def test_an_exclusion_of_somebody_else_takes_nobody_away(broker):
    with broker.client() as one, broker.client() as stranger:
        one.subscribe("not-here")
        before = scrape(broker).of_app("starling_deliveries_total")
        broker.trigger("not-here", "e", "d", socket_id=stranger.socket_id)
        one.expect("e", "not-here")
        assert scrape(broker).of_app("starling_deliveries_total") == before + 1


@drives("starling_http_requests_total", "soketi_http_calls_received_total")
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


@drives("starling_refusals_total", "starling_limit_hits_total")
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


@drives("starling_backlog_bytes", "starling_backlog_memory_bytes", "starling_backlog_limit_bytes", "starling_short_writes_total",
        "starling_slow_consumer_closes_total")
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
        assert page["starling_slow_consumer_closes_total", {"limit": "backlogTotalBytes"}] == 0
        assert page["starling_refusals_total", {"kind": "slow_consumer", "code": "4100"}] == 1
        assert page["starling_closes_total", {"by": "server", "code": "4100"}] == 1
        stalled.close()
        wait_until(lambda: scrape(running)["starling_backlog_bytes"] == 0, "nothing waits for somebody who is gone")


# Bytes and sockets, counted exactly


def exchange(broker, request: bytes) -> bytes:
    """Sends one request on a connection of its own and reads its answer to the end."""
    with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
        raw.sendall(request)
        answer = b""
        while data := raw.recv(65_536):
            answer += data
        return answer


@drives("starling_accepts_total", "starling_received_bytes_total", "starling_sent_bytes_total", "starling_sockets")
def test_every_byte_and_every_socket_is_counted_once(fresh):
    page = scrape(fresh)
    assert [page[f"starling_{name}"] for name in ("accepts_total", "received_bytes_total", "sent_bytes_total")] == [0, 0, 0]
    request = b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = [exchange(fresh, request) for _ in range(3)]
    with RawClient(fresh) as _, socket.create_connection(("127.0.0.1", fresh.port)) as _:
        wait_until(lambda: scrape(fresh)["starling_accepts_total"] == 5, "three calls and two connections were accepted")
        page = scrape(fresh)
        assert [page["starling_sockets", {"kind": kind}] for kind in ("websocket", "http")] == [1, 1]
    before = scrape(fresh)
    answers.append(exchange(fresh, request))
    page = scrape(fresh)
    assert page["starling_received_bytes_total"] - before["starling_received_bytes_total"] == len(request)
    assert page["starling_sent_bytes_total"] - before["starling_sent_bytes_total"] == len(answers[-1])


@drives("starling_http_received_bytes_total", "starling_http_sent_bytes_total", "soketi_http_received_bytes",
        "soketi_http_transmitted_bytes")
def test_bytes_of_calls(fresh):
    body = b'{"name":"e","channel":"c","data":"d"}'
    path = target("POST", "/apps/1/events", body, {}, key="app-key", secret="app-secret")
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    answer = exchange(fresh, head + body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    page, port = scrape(fresh), {"port": str(fresh.port)}
    assert page.of_app("starling_http_received_bytes_total") == len(head) + len(body)
    assert page.of_app("starling_http_sent_bytes_total") == len(answer)
    assert page.of_app("soketi_http_received_bytes", **port) == len(head) + len(body)
    assert page.of_app("soketi_http_transmitted_bytes", **port) == len(answer)


@drives("starling_message_sent_bytes_total", "soketi_socket_transmitted_bytes")
def test_bytes_of_messages_are_those_on_the_wire(fresh):
    with RawClient(fresh, handshake=False) as client:
        client.read_upgrade()
        size = 0
        for wanted in ("connection_established", "subscription_succeeded", "e"):
            if wanted == "subscription_succeeded":
                client.send_raw({"event": "pusher:subscribe", "data": {"channel": "c"}})
            if wanted == "e":
                fresh.trigger("c", "e", "d" * 200)
            got = client.read_frame()
            assert wanted in got.event["event"]
            size += len(got.payload) + (2 if len(got.payload) < 126 else 4)
        page = scrape(fresh)
    assert page.of_app("starling_message_sent_bytes_total") == size
    assert page.of_app("soketi_socket_transmitted_bytes", port=str(fresh.port)) == size


@drives("starling_input_bytes")
def test_input_that_is_not_whole_is_shown(fresh):
    with RawClient(fresh) as client:
        whole = frame(1, b'{"event":"pusher:ping","data":"' + b"x" * 3_000 + b'"}')
        client.socket.sendall(whole[:2_000])
        wait_until(lambda: scrape(fresh)["starling_input_bytes"] == 2_000, "a part of a message waits")
        client.socket.sendall(whole[2_000:])
        wait_until(lambda: scrape(fresh)["starling_input_bytes"] == 0, "it is whole")


@drives("starling_accept_errors_total", "starling_accepts_refused_total")
def test_without_a_descriptor_one_comer_is_one_error_and_one_refusal(fresh):
    scrape(fresh)
    _, hard = resource.prlimit(fresh.pid, resource.RLIMIT_NOFILE)
    # The connection of the scrape is gone when its descriptor is.
    taken = wait_until(lambda: stable(lambda: sorted(map(int, os.listdir(f"/proc/{fresh.pid}/fd")))), "descriptors are as at rest")
    free = next(number for number in range(len(taken) + 1) if number not in taken)
    resource.prlimit(fresh.pid, resource.RLIMIT_NOFILE, (free, hard))
    answer = exchange(fresh, b"")
    resource.prlimit(fresh.pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert answer.startswith(b"HTTP/1.1 503 ")
    page = scrape(fresh)
    assert page["starling_accept_errors_total"] == 1 and page["starling_accepts_refused_total"] == 1
    assert page["starling_accepts_total"] == 0


def stable(read):
    """What was read, if it is the same a moment later."""
    first = read()
    for _ in range(5):
        select_nothing()
    return first if read() == first else None


# From the publish to its last write


@drives("starling_delivery_seconds")
def test_a_delivery_is_measured_from_the_turn_that_reads_the_publish_to_its_last_write(fresh):
    def measured(page):
        return page["starling_delivery_seconds_count"], page["starling_delivery_seconds_sum"]

    with fresh.client() as one, fresh.client() as two:
        for client in (one, two):
            client.join("presence-timed", f"user-{client.socket_id}")
            client.subscribe("timed")
        one.expect("pusher_internal:member_added", "presence-timed")
        assert measured(scrape(fresh)) == (0, 0), "members that come are no publishes"
        fresh.trigger("nobody", "e", "d")
        start = time.monotonic()
        for _ in range(5):
            fresh.trigger("timed", "e", "d")
            one.expect("e", "timed"), two.expect("e", "timed")
        elapsed = time.monotonic() - start
        page = scrape(fresh)
        count, total = measured(page)
        assert count == 5, "once for each event, whoever many get it, and not for one that nobody gets"
        assert 0 < total <= elapsed
        assert page["starling_delivery_seconds_bucket", {"le": "+Inf"}] == 5
        # What an event waits in the kernel before its turn does not count.
        with socket.create_connection(("127.0.0.1", fresh.port), timeout=DEADLINE) as raw:
            body = b'{"name":"late","channel":"timed","data":"d"}'
            path = target("POST", "/apps/1/events", body, {}, key="app-key", secret="app-secret")
            fresh.process.send_signal(signal.SIGSTOP)
            wait_until(fresh.is_suspended, "it is stopped")
            raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            pause = time.monotonic()
            while time.monotonic() - pause < 0.7:
                select_nothing()
            resumed = time.monotonic()
            fresh.process.send_signal(signal.SIGCONT)
            one.expect("late", "timed"), two.expect("late", "timed")
            after = time.monotonic() - resumed
        page = scrape(fresh)
        count, later = measured(page)
        assert count == 6 and later - total <= after + 0.01
        # The tick that was due meanwhile was late by what it waited.
        most = page["starling_loop_lag_seconds_count", {"loop": "0"}]
        assert page["starling_loop_lag_seconds_bucket", {"le": "0.536870912", "loop": "0"}] < most


# Limits


@drives("starling_limit_hits_total")
@pytest.mark.parametrize("limit", [
    "readRequestsPerSecond", "clientEventsPerSecond", "messagesPerDay", "channels", "presenceMembers"])
def test_hits_of_each_limit(limit):
    with Broker({"loops": 1, "apps": [app(limits={limit: 1})]}) as running, running.client() as one, running.client() as two:
        if limit == "readRequestsPerSecond":
            hits = [running.api("GET", "/channels")[0] for _ in range(5)].count(429)
        elif limit == "messagesPerDay":
            hits = [running.api("POST", "/events", {"name": "e", "channel": "c", "data": "d"})[0] for _ in range(5)].count(200)
            hits = 5 - hits
        elif limit == "clientEventsPerSecond":
            one.subscribe("private-c"), two.subscribe("private-c")
            for _ in range(5):
                one.send_raw('{"event":"client-e","channel":"private-c","data":"x"}')
            hits = sum(each["event"] == "pusher:error" for each in one.frames_until_pong())
        elif limit == "channels":
            one.subscribe("first")
            two.send_subscribe("second")
            two.expect_refusal("second", 4100)
            hits = 1
        else:
            one.join("presence-c", "a")
            two.send_subscribe("presence-c", user="b")
            two.expect_refusal("presence-c", 4100)
            hits = 1
        assert hits >= 1
        page = scrape(running)
        assert page["starling_limit_hits_total", {"limit": limit}] == hits
        assert sum(value for (name, _), value in page.samples.items() if name == "starling_limit_hits_total") == hits


@drives("starling_connections_max")
def test_how_many_connections_fit(broker):
    assert scrape(broker)["starling_connections_max"] == 400


# The process and its loops


@drives("starling_build_info", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_max_fds", "starling_memory_total_bytes", "starling_loops", "starling_silent_loops", "starling_queued_bytes")
def test_the_process(broker):
    def processor() -> float:
        fields = pathlib.Path(f"/proc/{broker.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    least = processor()
    page = scrape(broker)
    # The kernel rounds by ticks, and getrusage does not.
    assert least - 0.05 <= page["process_cpu_seconds_total"] <= processor() + 0.05
    info = page.families["starling_build_info"].samples[0]
    version = subprocess.run([BINARY, "--version"], capture_output=True, text=True, timeout=DEADLINE).stdout.split()[1]
    assert page["starling_build_info", info.labels] == 1 and info.labels["version"] == version
    assert info.labels["swift"].startswith("6") and info.labels["openssl"].startswith("3.")
    fields = pathlib.Path(f"/proc/{broker.pid}/stat").read_text().rpartition(")")[2].split()
    booted = int(re.search(r"^btime (\d+)", pathlib.Path("/proc/stat").read_text(), re.MULTILINE)[1])
    assert abs(page["process_start_time_seconds"] - (booted + int(fields[19]) / os.sysconf("SC_CLK_TCK"))) <= 3
    assert abs(page["process_resident_memory_bytes"] - broker.resident_bytes()) < 4 << 20
    limits = pathlib.Path(f"/proc/{broker.pid}/limits").read_text()
    assert page["process_max_fds"] == int(re.search(r"^Max open files +(\d+)", limits, re.MULTILINE)[1])
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cgroup = pathlib.Path("/sys/fs/cgroup/memory.max")
    if cgroup.exists() and (said := cgroup.read_text().strip()).isdigit():
        memory = min(memory, int(said))
    assert page["starling_memory_total_bytes"] == memory
    assert page["starling_loops"] == 2 and page["starling_silent_loops"] == 0
    assert [page["starling_queued_bytes", {"loop": loop}] for loop in "01"] == [0, 0]


@drives("process_open_fds")
def test_descriptors_that_are_used(fresh):
    before = scrape(fresh)["process_open_fds"]
    held = [socket.create_connection(("127.0.0.1", fresh.port)) for _ in range(7)]
    wait_until(lambda: scrape(fresh)["starling_accepts_total"] == 7, "all were accepted")
    wait_until(lambda: scrape(fresh)["process_open_fds"] == before + 7, "seven more, and the scraper's own as before")
    for one in held:
        one.close()
    wait_until(lambda: scrape(fresh)["process_open_fds"] == before, "they are given back")


@drives("starling_loop_turn_seconds", "starling_loop_lag_seconds")
def test_turns_and_ticks_of_each_loop(broker):
    def counts(page):
        return [[page[f"starling_loop_{what}_seconds_count", {"loop": loop}] for loop in "01"] for what in ("turn", "lag")]

    start, before = time.monotonic(), counts(scrape(broker))
    page = wait_until(lambda: (now := scrape(broker)) and min(counts(now)[1]) >= max(before[1]) + 5 and now, "five ticks passed", DEADLINE * 3)
    elapsed = time.monotonic() - start
    for loop, (ticks, earlier) in enumerate(zip(counts(page)[1], before[1])):
        # One each 100 ms; those that were missed together count once.
        assert ticks - earlier <= elapsed / 0.1 + 2
        assert counts(page)[0][loop] - before[0][loop] >= ticks - earlier, "a tick is in a turn"
        for what in ("turn", "lag"):
            labels = {"loop": str(loop)}
            assert page[f"starling_loop_{what}_seconds_bucket", {"le": "+Inf", **labels}] == page[f"starling_loop_{what}_seconds_count", labels]
            assert page[f"starling_loop_{what}_seconds_sum", labels] <= time.monotonic() - start + 3_600


@drives("starling_ready")
def test_whoever_drains_is_not_ready(fresh):
    with RawClient(fresh) as _:
        assert scrape(fresh)["starling_ready"] == 1
        fresh.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: scrape(fresh)["starling_ready"] == 0, "out of traffic")
        fresh.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: scrape(fresh)["starling_ready"] == 1, "back in it")


# The operator


@drives("starling_reloads_total")
def test_reloads(fresh):
    def outcomes():
        page = scrape(fresh)
        return [page["starling_reloads_total", {"outcome": outcome}] for outcome in ("applied", "failed")]

    assert outcomes() == [0, 0]
    file = pathlib.Path(fresh.directory.name) / "config.json"
    good = file.read_text()
    for text, wanted in ((good, [1, 0]), ("{", [1, 1]), (good + "\n", [2, 1])):
        file.write_text(text)
        fresh.process.send_signal(signal.SIGHUP)
        wait_until(lambda: outcomes() == wanted, f"{wanted} reloads were applied and failed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@drives("starling_tls_handshakes_total", "starling_tls_handshake_failures_total", "starling_certificate_expiry_timestamp_seconds")
def test_handshakes_their_failures_by_reason_and_certificates(authority):
    first, second = authority.leaf("metered", days=20), authority.leaf("metered-too", "too.example", days=40)
    with Broker({"loops": 1, "tls": {**first, "certificates": [second]}, "apps": [app()]}) as running:
        port = f"127.0.0.1:{running.port}"

        def hello(context: ssl.SSLContext) -> ssl.SSLSocket:
            return context.wrap_socket(socket.create_connection(("127.0.0.1", running.port), timeout=DEADLINE), server_hostname="localhost")

        def s_client(*options: str):
            subprocess.run(["openssl", "s_client", "-connect", port, *options], input=b"", capture_output=True, timeout=DEADLINE)

        for _ in range(3):
            hello(authority.context()).close()
        s_client("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
        s_client("-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")
        s_client("-alpn", "h2")
        with pytest.raises(ssl.SSLError):
            hello(ssl.create_default_context())
        for sent in (b"\x16\x03\x01\x00\x05hello", b"\x16"):
            with socket.create_connection(("127.0.0.1", running.port), timeout=DEADLINE) as raw:
                raw.sendall(sent)
                if len(sent) > 1:
                    while raw.recv(1_000):
                        pass
        wanted = {"version": 1, "cipher": 1, "alpn": 1, "alert": 1, "record": 1, "gone": 1, "timeout": 0, "stalled": 0}

        def failures():
            page = scrape(running)
            return {reason: page["starling_tls_handshake_failures_total", {"reason": reason}] for reason in wanted}

        wait_until(lambda: failures() == wanted or None, "each failure is counted under its reason")
        page = scrape(running)
        assert page["starling_tls_handshakes_total"] == 3
        assert page["starling_refusals_total", {"kind": "tls", "code": "none"}] == 6
        for pair in (first, second):
            until = x509.load_pem_x509_certificate(pathlib.Path(pair["certificate"]).read_bytes()).not_valid_after_utc
            told = page["starling_certificate_expiry_timestamp_seconds", {"certificate": pair["certificate"]}]
            assert datetime.datetime.fromtimestamp(told, datetime.timezone.utc) == until


# Webhooks


@drives("starling_webhook_queued_events", "starling_webhook_oldest_seconds", "starling_webhook_events_sent_total",
        "starling_webhook_attempts_total", "starling_webhook_attempt_seconds", "starling_webhook_events_undelivered_total",
        "starling_webhook_dead_letters", "starling_webhook_returns_total", "starling_webhook_spool_bytes",
        "starling_webhook_spool_errors_total", "starling_webhook_connections")
def test_webhooks(tmp_path):
    with Receiver() as hooks:
        hooks.always(Answer(500), "/fails")
        hooks.always(Answer.hang(), "/hangs")
        occupied, vacated = {"events": ["channel_occupied"]}, {"events": ["channel_occupied", "channel_vacated"]}
        apps = [app(webhooks=[endpoint(hooks, "/fine", **vacated), endpoint(hooks, "/fails", **occupied)]),
                named_app("waits", webhooks=[endpoint(hooks, "/hangs", timeoutSeconds=60, **occupied)])]
        with broker_with(tmp_path, *apps, webhooks={"retrySeconds": 2}) as broker, broker.client_of("waits") as waits, \
                broker.client() as client:
            waits.subscribe("w-0")
            waits.subscribe("w-1")
            for number in range(3):
                client.subscribe(f"c-{number}")
            wait_told(hooks, "c-2", 1, "/fine")
            # Whoever loses his connection and is back has not been away.
            with broker.client() as brief:
                brief.subscribe("brief")
                wait_told(hooks, "brief", 1, "/fine")
                brief.abort()
            wait_until(lambda: broker.api("GET", "/channels/brief")[1].get("occupied") is False, "the channel is vacant")
            client.subscribe("brief")
            wait_until(lambda: scrape(broker)["starling_webhook_returns_total"] == 1, "it was back")

            def of_app(name, app_id="app-id"):
                return scrape(broker).of_app(f"starling_webhook_{name}", app_id)
            wait_until(lambda: of_app("events_undelivered_total") == 4 == of_app("dead_letters"), "four were given up", timeout=60)
            wait_until(lambda: of_app("events_sent_total") == 4, "and four were taken")
            page = scrape(broker)
            assert page.of_app("starling_webhook_queued_events", "waits") == 2
            assert page.of_app("starling_webhook_queued_events") == 0 == page.of_app("starling_webhook_dead_letters", "waits")
            assert 1 < page["starling_webhook_oldest_seconds"] < 1_000
            tries = len(hooks.at("/fails"))
            results = {result: page["starling_webhook_attempts_total", {"result": result}] for result in ("2xx", "5xx", "timeout")}
            assert results == {"2xx": 4, "5xx": tries, "timeout": 0}
            assert page["starling_webhook_attempt_seconds_count"] == 4 + tries
            assert 1 <= page["starling_webhook_connections"] <= 3
            size = sum(file.stat().st_size for file in (tmp_path / "webhooks").iterdir())
            assert 0 < page["starling_webhook_spool_bytes"] <= size + 65_536 and page["starling_webhook_spool_errors_total"] == 0


@drives("starling_webhook_events_dropped_total")
def test_webhooks_that_nobody_takes_are_dropped_and_counted():
    with Receiver() as hooks:
        hooks.always(Answer.hang(), "/hangs")
        config = app(limits={"clientEventsPerSecond": 10_000},
                     webhooks=[endpoint(hooks, "/hangs", timeoutSeconds=60, events=["client_event"])])
        with broker_with(None, config, webhooks={"queueBytes": 1_048_576}) as broker, broker.client() as client:
            client.subscribe("private-much")
            for number in range(200):
                client.send("client-load", "x" * 10_000, channel="private-much")

            def counts():
                page = scrape(broker)
                dropped = page["starling_webhook_events_dropped_total", {"cause": "queue"}]
                return dropped, page.of_app("starling_webhook_queued_events")
            wait_until(lambda: sum(counts()) == 200, "all are counted")
            dropped, queued = counts()
            assert 80 <= queued <= 104 and 96 <= dropped <= 120, "a megabyte of them waits"
            page = scrape(broker)
            assert [page["starling_webhook_events_dropped_total", {"cause": cause}]
                    for cause in ("dead_letters", "spool", "edges")] == [0, 0, 0]
