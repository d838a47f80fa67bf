"""The machine is short, or its calls fail: who is served goes on, nothing spins, it is said once and counted (F1, F2, F3)."""

import contextlib
import errno
import os
import resource
import socket
import subprocess
import time

import pytest

import faults
from harness import BINARY, Broker, app, daemon_environment, wait_until
from logfmt import lines
from metrics_page import Page, drives
from rawclient import RawClient, upgrade_request
from session import DEADLINE, Closed

pytestmark = pytest.mark.skipif(faults.library() is None, reason="no C compiler for Tests/Faults")


@pytest.fixture(scope="module")
def knobs():
    return faults.Faults()


@pytest.fixture(scope="module")
def broker(knobs):
    with knobs.broker({"loops": 1, "refusalLinesPerSecond": 1_000, "apps": [app()]}) as running:
        yield running


def processor_seconds(broker) -> float:
    """User and system time of the process so far."""
    with open(f"/proc/{broker.pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def metric(broker, name, **labels) -> float:
    return Page(broker.metrics())[name, labels]


@contextlib.contextmanager
def little_work(broker, share: float = 0.3):
    """The broker may use so much of one processor meanwhile; the caller waits for half a second or more in it."""
    before, start = processor_seconds(broker), time.monotonic()
    yield
    used, passed = processor_seconds(broker) - before, time.monotonic() - start
    assert used < share * passed, f"it spins: {used:.2f} s of {passed:.2f} s"


def said(broker, message: str) -> list[dict]:
    return [line for line in lines(broker.log()) if line["msg"] == message]


def comers(broker, count: int) -> list[RawClient]:
    """Who connects and asks for an upgrade, whatever comes of it."""
    came = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            came.append(RawClient(broker, handshake=False))
    return came


def still_served(client, rounds: int = 5) -> None:
    """For half a second and more."""
    for _ in range(rounds):
        client.nothing_until_pong()
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.1)


def newcomer_is_served(broker, channel: str) -> None:
    def served():
        try:
            with broker.client() as new:
                new.subscribe(channel)
                return True
        except (OSError, EOFError, Closed, AssertionError, TimeoutError):
            return False

    wait_until(served, "a newcomer is served again")


@pytest.mark.parametrize("code", ["EMFILE", "ENOMEM"])
def test_no_client_can_be_accepted_for_a_while(broker, knobs, code):
    """F1 F2: the listener rests, who is here is served, and it is over with the fault"""
    channel = f"accept-{code}"
    with broker.client() as old:
        old.subscribe(channel)
        errors, hits = metric(broker, "starling_accept_errors_total"), knobs.hits("accept")
        with knobs.each("accept", code=getattr(errno, code)):
            waiting = comers(broker, 20)
            with little_work(broker):
                still_served(old)
            assert 2 <= knobs.hits("accept") - hits < 200, "it tries again each tick, and no more often"
        newcomer_is_served(broker, channel)
        broker.trigger(channel, "still", "{}")
        old.expect("still", channel)
        assert metric(broker, "starling_accept_errors_total") > errors
        for client in waiting:
            client.close()
    assert said(broker, "cannot accept connections")[0]["level"] == "error"


def test_failing_accepts_were_said_once_in_ten_seconds(broker):
    assert len(said(broker, "cannot accept connections")) < 4


@drives("starling_loop_rests_total")
@pytest.mark.parametrize("code", ["ECONNABORTED", "EPROTO"])
def test_accepts_that_fail_for_the_one_connection_keep_nobody_else_out(broker, knobs, code):
    """F2: every second one fails, or for a while each"""
    errors, rests = metric(broker, "starling_accept_errors_total"), len(said(broker, "cannot accept connections"))
    with knobs.each("accept", code=getattr(errno, code), every=2):
        for _ in range(5):
            newcomer_is_served(broker, f"aborted-{code}")
    assert metric(broker, "starling_accept_errors_total") > errors
    with broker.client() as old:
        with knobs.each("accept", code=getattr(errno, code)):
            waiting = comers(broker, 3)
            with little_work(broker):
                still_served(old)
        for client in waiting:
            client.close()
        newcomer_is_served(broker, f"aborted-{code}")
    assert len(said(broker, "cannot accept connections")) == rests, "it is not the machine that is short"
    assert len(said(broker, "a loop gets nowhere")) == 1 and metric(broker, "starling_loop_rests_total") > 0


@pytest.mark.parametrize("code", ["ENOMEM", "ENOSPC"])
def test_a_client_that_cannot_be_watched_is_told_503(broker, knobs, code):
    """F2"""
    refused = metric(broker, "starling_accepts_refused_total")
    with broker.client() as old, knobs.each("watch", code=getattr(errno, code)):
        for _ in range(3):
            with RawClient(broker, handshake=False) as new:
                assert new.read_head() == 503
                new.expect_end()
        old.nothing_until_pong()
    newcomer_is_served(broker, "watched")
    assert metric(broker, "starling_accepts_refused_total") == refused + 3
    assert len(said(broker, "cannot serve connections")) == 1


@pytest.mark.parametrize("call, how", [
    ("send", {"bytes": 1}), ("send", {"bytes": 7, "every": 2}), ("send", {"code": errno.EAGAIN, "every": 2}),
    ("send", {"code": errno.EINTR, "every": 2}), ("send", {"code": errno.ENOMEM, "every": 3}),
    ("send", {"code": errno.ENOBUFS, "every": 2}), ("receive", {"bytes": 3}), ("receive", {"code": errno.EAGAIN, "every": 2}),
    ("receive", {"code": errno.EINTR, "every": 2}), ("receive", {"code": errno.ENOMEM, "every": 2}),
    ("wait", {"code": errno.EINTR, "every": 2})], ids=lambda value: value if isinstance(value, str) else "-".join(
        errno.errorcode.get(number, str(number)) if name == "code" else f"{name}{number}" for name, number in value.items()))
def test_short_and_interrupted_calls_lose_nothing(broker, knobs, call, how):
    """F2: in order, each once, whole"""
    hits = knobs.hits(call)
    with knobs.each(call, **how), RawClient(broker) as reader, broker.client() as other:
        for client in (reader, other):
            client.subscribe("pieces")
        for number in range(20):
            broker.trigger("pieces", "piece", f"{number}" + "x" * 3_000)
        for client in (reader, other):
            for number in range(20):
                assert client.expect("piece", "pieces")["data"] == f"{number}" + "x" * 3_000
            client.nothing_until_pong()
    assert knobs.hits(call) > hits


@drives("starling_socket_shortages_total")
@pytest.mark.parametrize("call, code", [("send", "ENOMEM"), ("receive", "EAGAIN"), ("wait", "EINTR")])
def test_a_storm_of_the_same_fault_is_sat_out(broker, knobs, call, code):
    """F2: nothing can be sent, or read, for a while: the processor rests, and then all of it comes"""
    before = metric(broker, "starling_socket_shortages_total")
    with RawClient(broker) as client:
        client.subscribe("storm")
        with knobs.each(call, code=getattr(errno, code)):
            client.send("pusher:ping", {})
            with little_work(broker), pytest.raises(TimeoutError):
                client.receive(timeout=0.6)
                if call == "wait":
                    raise TimeoutError
        if call != "wait":
            client.expect("pusher:pong")
        client.nothing_until_pong()
    if code == "ENOMEM":
        wait_until(lambda: said(broker, "the kernel has no memory for sockets"), "it is said")
        assert len(said(broker, "the kernel has no memory for sockets")) == 1
    shortages = metric(broker, "starling_socket_shortages_total")
    assert shortages > before or code != "ENOMEM"


def test_who_does_not_read_is_cut_off_when_there_is_no_memory_for_what_waits(knobs, broker):
    """F2: the others are served"""
    before = metric(broker, "starling_slow_consumer_closes_total", limit="backlogTotalBytes")
    with RawClient(broker, receive_buffer=4096) as stalled, broker.client() as healthy:
        for client in (stalled, healthy):
            client.subscribe("unmapped")
        with knobs.each("map", code=errno.ENOMEM):
            for number in range(1_000):
                broker.trigger("unmapped", "load", f"{number:06}" + "x" * 10_000)
                assert healthy.expect("load", "unmapped")["data"][:6] == f"{number:06}"
                if number % 50 == 49 and metric(
                        broker, "starling_slow_consumer_closes_total", limit="backlogTotalBytes") > before:
                    break
        assert metric(broker, "starling_slow_consumer_closes_total", limit="backlogTotalBytes") == before + 1
        healthy.nothing_until_pong()


def test_without_a_descriptor_to_look_with_what_is_known_goes_on(broker, knobs):
    """F1: the page of metrics and the memory's guard read /proc"""
    with knobs.each("open", code=errno.EMFILE), broker.client() as client:
        assert metric(broker, "starling_memory_pressure") == 0
        assert broker.request("GET", "/usage")[0] == 200
        client.nothing_until_pong()
    assert not said(broker, "memory is short")


@drives("starling_log_dropped_lines_total")
@pytest.mark.parametrize("code", ["ENOSPC", "EIO", "EAGAIN"])
def test_a_log_that_takes_nothing_costs_lines_only(broker, knobs, code):
    """F3: full disk; how many were lost is said by the next line and counted"""
    before = metric(broker, "starling_log_dropped_lines_total")
    with knobs.each("log", code=getattr(errno, code)):
        for number in range(5):
            assert broker.request("GET", f"/nowhere/{code}/{number}")[0] == 404
        newcomer_is_served(broker, "logless")
    assert metric(broker, "starling_log_dropped_lines_total") == before + 5
    assert broker.request("GET", f"/nowhere/{code}")[0] == 404
    wait_until(lambda: any("dropped_lines" in line and line.get("path") == f"/nowhere/{code}" for line in lines(broker.log())), "the next line says so")


# Standard streams


def start(arguments: list[str], **streams) -> tuple[subprocess.Popen, int]:
    """A daemon with other standard streams than the harness gives; and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([BINARY, "serve", "--host", "127.0.0.1", "--port", str(port), "--app-key", "app-key",
                                "--app-secret", "app-secret", *arguments], env=daemon_environment(), **streams)

    def answers():
        assert process.poll() is None, "it has ended"
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=1).close() or True

    wait_until(answers, "it listens", DEADLINE * 3)
    return process, port


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_are_not_taken_by_clients(closed):
    """F3: else the log would be written into the socket that has their number"""
    def close():
        for number in closed:
            os.close(number)

    process, port = start(["--log-level", "debug"], preexec_fn=close)
    try:
        for number in (0, 1, 2):
            if number in closed:
                assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"
        clients = [socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) for _ in range(3)]
        for client in clients:
            client.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for client in clients:
            answer = b""
            while piece := client.recv(65_536):
                answer += piece
            assert answer.startswith(b"HTTP/1.1 404 ") and b"level=" not in answer
            client.close()
    finally:
        process.terminate()
        assert process.wait(timeout=DEADLINE * 3) == 0


def test_a_full_disk_under_the_log_does_not_matter():
    """F3"""
    with open("/dev/full", "wb") as full:
        process, port = start(["--log-level", "debug"], stdout=full, stderr=full)
    try:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
                client.sendall(upgrade_request("/app/app-key?protocol=7"))
                assert client.recv(12) == b"HTTP/1.1 101"
    finally:
        process.terminate()
        assert process.wait(timeout=DEADLINE * 3) == 0


# Descriptors


@pytest.mark.memory
def test_two_thousand_clients_and_256_descriptors():
    """F1: the processor rests, clients are served, newcomers are told"""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    process, port = start(["--loops", "1"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=limit)
    broker = Broker()
    broker.process, broker.port = process, port
    try:
        with broker.client(app_id="app-id") as old:
            old.subscribe("room")
            came = []
            for _ in range(2_000):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                came.append(one)
            before, begin = processor_seconds(broker), time.monotonic()
            asked, answers = set(), {}
            while time.monotonic() - begin < 2:
                old.nothing_until_pong()
                for number, one in enumerate(came):
                    with contextlib.suppress(OSError):
                        if number not in asked:
                            one.send(upgrade_request("/app/app-key?protocol=7"))
                            asked.add(number)
                    with contextlib.suppress(BlockingIOError):
                        try:
                            answers[number] = answers.get(number, b"") + one.recv(4_096)
                        except OSError as reset:
                            if isinstance(reset, BlockingIOError):
                                raise
                            answers.setdefault(number, b"")
                with pytest.raises(TimeoutError):
                    old.receive(timeout=0.05)
            share = (processor_seconds(broker) - before) / (time.monotonic() - begin)
            assert share < 0.2, f"{share:.2f} of a processor"
            print(f"F1: {share:.3f} of a processor, {len(answers)} of 2000 answered")
            kinds = {text[9:12] for text in answers.values() if text}
            assert b"503" in kinds and kinds <= {b"101", b"503"}, kinds
            for one in came:
                one.close()
            newcomer_is_served_on(broker)
            old.nothing_until_pong()
    finally:
        process.terminate()
        assert process.wait(timeout=DEADLINE * 3) == 0
        broker.process = None


def newcomer_is_served_on(broker) -> None:
    newcomer_is_served(broker, "room")
