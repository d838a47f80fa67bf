"""The machine is short of something, or says no: F1 (descriptors), F2 (system calls), F3 (the log's place, signals)."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import termios
import time
from collections import Counter

import pytest

import harness
import logfmt
from crowd import PING_EVENT, Crowd, Link
from following import all_heard, following, judge, outcome, wrapper
from harness import Broker, app, select_nothing, wait_until
from machine import Spending, quantile, total
from rawclient import CLOSE, RawClient
from session import DEADLINE, Closed

# F1


class Comer(Link):
    """Asks to be let in, or says nothing at all."""

    def __init__(self, crowd: Crowd, is_mute: bool):
        self.is_mute = is_mute
        super().__init__(crowd)

    def ask(self) -> None:
        if not self.is_mute:
            super().ask()


@pytest.mark.row("F1")
@pytest.mark.parametrize("is_mute", [False, True], ids=["speaking", "mute"])
def test_without_descriptors_it_serves_whom_it_has(measure, is_long, monkeypatch, tmp_path, is_mute):
    """The mute ones hold what they get; of the others no more are let in than leave room for the API."""
    monkeypatch.setattr(harness, "BINARY", wrapper(tmp_path, 'ulimit -n 256; exec "{binary}" "$@"'))
    seconds = 10 if is_long else 2
    with Broker() as broker, following(broker, 40) as (crowd, followers, publisher), Crowd(broker.port) as comers:
        all_comers = [Comer(comers, is_mute) for _ in range(2_000)]
        spending, took, most, end = Spending(broker.pid), [], 0, time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            for channel in range(4):
                publisher.publish(f"room-{channel}")
            crowd.until(lambda: all_heard(followers), "events are heard", DEADLINE)
            took.append(time.monotonic() - start)
            most = max(most, broker.descriptors())
            comers.turn(0)
            crowd.run(0.02)
        percent = spending.percent()

        def unanswered() -> int:
            return sum(not one.has_ended and not one.is_open for one in all_comers)

        holding = 256 if is_mute else 0
        comers.until(lambda: unanswered() <= holding, "each comer has an answer", 60)
        answered = time.monotonic() - end + seconds
        let_in = sum(one.is_open and not one.has_ended for one in all_comers)
        for one in list(comers.links.values()):
            one.vanish()
        come(broker, 1)
        for channel in range(4):
            publisher.publish(f"room-{channel}")
        crowd.until(lambda: all_heard(followers), "events are heard afterwards", DEADLINE)
        what = "that say nothing" if is_mute else "that ask to be let in"
        with measure(f"256 descriptors, 40 clients, then 2,000 more {what}") as row:
            row.at_most("processor", percent, 20, "%", bound=60)
            # As many as it said at its start.
            start = next(line for line in logfmt.lines(broker.log()) if line["msg"] == "listening")
            row.exactly("let in", let_in, 0 if is_mute else int(start["connections"]) - 40)
            # The rest is for files, and for those who are being refused.
            row.at_most("descriptors in use", most, 240)
            row.note("told 503", sum(one.status == 503 for one in all_comers))
            row.note("closed with 4100", sum(one.code == 4100 for one in all_comers))
            row.note("all answered within", answered, "s")
            row.note("four publishes, last hearer p99", quantile(took, 0.99) * 1e3, "ms")
            judge(row, outcome(followers))


# F2

STRACE = shutil.which("strace")

# What the kernel may say at any time without anything being wrong with the connection that it is asked about: nobody is lost.
HARMLESS = [
    ("accept4", "EMFILE"), ("accept4", "ENFILE"), ("accept4", "ENOMEM"), ("accept4", "ENOBUFS"), ("accept4", "ECONNABORTED"),
    ("accept4", "EINTR"), ("accept4", "EPROTO"), ("recvfrom", "EINTR"), ("sendto", "EINTR"), ("sendto", "EAGAIN"),
    ("epoll_wait", "EINTR"), ("write", "EINTR"),
]
# What ends the connection that it happens to, and no other.
FATAL_FOR_ONE = [
    ("recvfrom", "ECONNRESET"), ("recvfrom", "ETIMEDOUT"), ("recvfrom", "ENOMEM"), ("sendto", "EPIPE"), ("sendto", "ECONNRESET"),
    ("sendto", "ENOBUFS"), ("sendto", "ENOMEM"), ("epoll_ctl", "ENOMEM"), ("epoll_ctl", "ENOSPC"),
]
# What accept4 may say for long, and must not become a loop that never sleeps.
LASTING = ["EMFILE", "ENOMEM", *(pytest.param(error, marks=pytest.mark.long) for error in ("ENFILE", "ENOBUFS"))]


@contextlib.contextmanager
def injected(broker: Broker, call: str, error: str, when: str, directory: pathlib.Path):
    """Attaches strace, so that the calls of one kind fail without being made; gives the file of its lines."""
    lines = directory / "strace"
    command = [STRACE, "-f", "-qq", "-o", str(lines), "-p", str(broker.pid), "-e", f"trace={call}",
               "-e", f"inject={call}:error={error}:when={when}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def is_traced() -> bool:
        assert tracer.poll() is None, tracer.stderr.read()
        tasks = pathlib.Path(f"/proc/{broker.pid}/task").iterdir()
        return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks)

    wait_until(is_traced, "strace has every thread")
    try:
        yield lines
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(DEADLINE)


def times_injected(lines: pathlib.Path) -> int:
    return lines.read_text().count("(INJECTED)")


def come(broker: Broker, count: int) -> int:
    """So many clients come one after the other, each again until it is served; gives how often one was refused."""
    refused = 0
    limit = time.monotonic() + DEADLINE * 3
    while count:
        try:
            with RawClient(broker) as client:
                client.subscribe("hall")
                client.send_frame(CLOSE, b"\x03\xe8")
                client.expect_end()
            count -= 1
        except (OSError, EOFError, AssertionError, Closed):
            refused += 1
            assert time.monotonic() < limit, f"{count} newcomers are not served"
            select_nothing()
    return refused


@pytest.fixture
def traced(tmp_path):
    if STRACE is None:
        pytest.skip("strace is not there")
    with Broker({"loops": 2, "apps": [app()]}) as broker:
        yield broker


@pytest.mark.row("F2")
def test_calls_that_fail_for_a_moment_lose_nobody(measure, traced, tmp_path):
    with following(traced, 40) as (crowd, followers, publisher):
        injections, refused, calls = 0, 0, set()
        for call, error in HARMLESS:
            with injected(traced, call, error, "2+3", tmp_path) as lines:
                refused += come(traced, 6)
                for number in range(8):
                    publisher.publish(f"room-{number % 4}", is_patient=True)
                    crowd.turn(0)
                crowd.until(lambda: all_heard(followers), f"events in spite of {call} {error}", DEADLINE)
                injections += (count := times_injected(lines))
            calls |= {call} if count else set()
        with measure(f"{len(HARMLESS)} errors of accept4, recvfrom, sendto, epoll_wait, write, every third call") as row:
            row.note("calls that failed", injections)
            row.note("newcomers refused, then served", refused)
            row.exactly("calls never seen", len({call for call, _ in HARMLESS} - calls))
            row.exactly("publishes refused", len(publisher.faults))
            judge(row, outcome(followers))


@pytest.mark.row("F2")
def test_calls_that_fail_for_one_connection_end_that_one(measure, traced, tmp_path):
    injections, ended, calls = 0, 0, 0
    for call, error in FATAL_FOR_ONE:
        with following(traced, 20) as (crowd, followers, publisher):
            with injected(traced, call, error, "2+4", tmp_path) as lines:
                come(traced, 12)
                for number in range(8):
                    publisher.publish(f"room-{number % 4}", is_patient=True)
                    crowd.turn(0)
                injections += (count := times_injected(lines))
            calls += bool(count)
            # Whoever is still there gets what comes now.
            for channel in range(4):
                publisher.publish(f"room-{channel}", is_patient=True)
                publisher.publish(f"room-{channel}")
            crowd.until(lambda: all_heard(followers), f"events after {call} {error}", DEADLINE)
            ended += sum(one.has_ended for one in followers)
            survivors = [one for one in followers if not one.has_ended]
            # What failed to be published is nobody's loss, so only order and doubles are judged here.
            assert not sum(one.doubled for one in followers), (call, error)
            assert survivors, f"{call} {error} ended everybody"
    resting = Spending(traced.pid)
    time.sleep(1)  # what is measured is that nothing happens
    percent = resting.percent()
    with measure(f"{len(FATAL_FOR_ONE)} errors that end a connection, every fourth call") as row:
        row.note("calls that failed", injections)
        row.note("clients ended by them", ended)
        row.at_most("processor afterwards", percent, 5, "%", bound=30)
        row.exactly("descriptors left", wait_descriptors(traced))
        row.exactly("connections left", int(total(traced.metrics(), "starling_connections")))
    assert calls == len(FATAL_FOR_ONE), "each of them is called"


def wait_descriptors(broker: Broker) -> int:
    """Descriptors beyond those of a broker at rest."""
    with Broker({"loops": 2, "apps": [app()]}) as resting:
        rest = resting.descriptors()
    with contextlib.suppress(AssertionError):
        wait_until(lambda: broker.descriptors() <= rest, "all are closed")
    return broker.descriptors() - rest


@pytest.mark.row("F2")
@pytest.mark.parametrize("error", LASTING)
def test_an_error_that_lasts_is_no_busy_loop(measure, is_long, traced, tmp_path, error):
    with following(traced, 10) as (crowd, followers, publisher):
        with injected(traced, "accept4", error, "1+", tmp_path) as lines, Crowd(traced.port) as comers:
            waiting = [Link(comers) for _ in range(50)]
            spending, worst = Spending(traced.pid), 0.0
            end = time.monotonic() + (5 if is_long else 1)
            while time.monotonic() < end:
                start = time.monotonic()
                followers[0].pongs = 0
                followers[0].send(PING_EVENT)
                crowd.until(lambda: followers[0].pongs, "an old client gets its pong", DEADLINE)
                worst = max(worst, time.monotonic() - start)
                crowd.run(0.05)
            percent, count = spending.percent(), times_injected(lines)
            for one in waiting:
                if not one.has_ended:
                    one.vanish()
        come(traced, 5)
        for channel in range(4):
            publisher.publish(f"room-{channel}")
        crowd.until(lambda: all_heard(followers), "events afterwards", DEADLINE)
        said = traced.log().count("msg=") - traced.log().count("msg=refused")
        with measure(f"accept4 says {error} and nothing else, 50 wait") as row:
            row.at_most("processor", percent, 20, "%", bound=60)
            row.note("calls that failed", count)
            row.note("an old client's pong, worst", worst * 1e3, "ms")
            row.note("log lines", said)
            judge(row, outcome(followers))


@pytest.mark.row("F2")
def test_short_writes_cut_no_message(measure, traced, is_long):
    """Real ones: receive buffers of 4 KiB, messages of 10 KB, read in small bites while the next ones come."""
    clients, rounds = (100, 150) if is_long else (30, 40)
    with contextlib.ExitStack() as stack:
        hearers = [stack.enter_context(RawClient(traced, receive_buffer=4_096, answers_pings=True)) for _ in range(clients)]
        for one in hearers:
            one.subscribe("wide")
        wrong = 0
        for number in range(rounds):
            traced.trigger("wide", "load", f"{number:06}" + chr(97 + number % 26) * 10_000)
            if number % 5 == 4:
                for one in hearers:
                    for expected in range(number - 4, number + 1):
                        wrong += one.receive()["data"] != f"{expected:06}" + chr(97 + expected % 26) * 10_000
        page = traced.metrics()
        with measure(f"{clients} clients with 4 KiB buffers, {rounds} messages of 10 KB") as row:
            row.note("short writes", int(total(page, "starling_short_writes_total")))
            row.exactly("messages wrong", wrong)
        assert total(page, "starling_short_writes_total") > rounds


# F3

OUTPUTS = {
    "/dev/full": 'exec "{binary}" "$@" >/dev/full 2>&1',
    "closed": 'exec "{binary}" "$@" >&- 2>&-',
    "all three closed": 'exec "{binary}" "$@" <&- >&- 2>&-',
    "a pipe without a reader": 'exec "{binary}" "$@" > >(exec true) 2>&1',
    "a full pipe": 'exec "{binary}" "$@" >"${{0%/*}}/pipe" 2>&1',
}


@pytest.mark.row("F3")
def test_where_the_log_goes_does_not_matter(measure, monkeypatch, tmp_path, is_long):
    """At debug level, so that every message is a line that cannot be written."""
    fared, dead = Counter(), []
    os.mkfifo(tmp_path / "pipe")
    nobody = os.open(tmp_path / "pipe", os.O_RDWR)
    for name, script in OUTPUTS.items():
        # More than a pipe holds.
        publishes = 2_000 if is_long else 800 if "full pipe" in name else 100
        with monkeypatch.context() as patch:
            patch.setattr(harness, "BINARY", wrapper(tmp_path, script))
            with Broker({"logLevel": "debug", "apps": [app()]}) as broker, following(broker, 40) as (crowd, followers, publisher):
                assert broker.log() == "", "the output goes elsewhere"
                for number in range(publishes):
                    publisher.publish(f"room-{number % 4}")
                    crowd.turn(0)
                broker.process.send_signal(signal.SIGUSR1)
                broker.process.send_signal(signal.SIGHUP)
                crowd.until(lambda: all_heard(followers), f"events with the log at {name}", DEADLINE)
                assert broker.api("GET", "/channels")[0] == 200
                dead += [name] if not broker.is_running else []
                fared += outcome(followers)
    unread = array.array("i", [0])
    fcntl.ioctl(nobody, termios.FIONREAD, unread)
    os.close(nobody)
    assert unread[0] > 60_000, "the pipe was full"
    with measure(f"the log goes to {'; '.join(OUTPUTS)}: at least 100 publishes each, logged at debug") as row:
        row.exactly("brokers lost", len(dead))
        judge(row, fared)


@pytest.mark.row("F3")
def test_signals_by_the_thousand(measure):
    with Broker() as broker, following(broker, 40) as (crowd, followers, publisher):
        for number in range(1_000):
            for one in (signal.SIGPIPE, signal.SIGHUP, signal.SIGWINCH, signal.SIGCHLD, signal.SIGUSR1, signal.SIGCONT):
                broker.process.send_signal(one)
            if number % 10 == 0:
                publisher.publish(f"room-{number // 10 % 4}")
            crowd.turn(0)
        crowd.until(lambda: all_heard(followers), "all events", DEADLINE)
        with measure("PIPE, HUP, WINCH, CHLD, USR1, CONT × 1,000; 100 publishes") as row:
            row.exactly("brokers lost", int(not broker.is_running))
            judge(row, outcome(followers))
