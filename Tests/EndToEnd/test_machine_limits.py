"""When the machine is short of something, or somebody plays with signals."""

import os
import resource
import signal
import time

import pytest

from harness import Broker, app, wait_until
from rawclient import RawClient
from session import Closed


@pytest.fixture
def broker():
    with Broker({"apps": [app()]}) as running:
        yield running


def processor_seconds(broker) -> float:
    """User and system time of the process so far."""
    with open(f"/proc/{broker.pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_clients_are_served_newcomers_are_not_and_it_recovers(broker):
    """F1: 128 descriptors and 400 comers"""
    with broker.client() as old:
        old.subscribe("room")
        _, hard = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (128, hard))
        comers = []
        for _ in range(400):
            try:
                comers.append(RawClient(broker, handshake=False))
            except OSError:
                pass  # refused or reset: an answer
        before, start = processor_seconds(broker), time.monotonic()
        for _ in range(20):
            begin = time.monotonic()
            old.nothing_until_pong()
            assert time.monotonic() - begin < 1.0
            broker_busy = processor_seconds(broker) - before
            with pytest.raises(TimeoutError):
                old.receive(timeout=0.1)
        assert broker_busy / (time.monotonic() - start) < 0.5, "it spins"
        for client in comers:
            client.close()
        resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (hard, hard))

        def newcomer():
            try:
                with broker.client() as new:
                    new.subscribe("room")
                    return True
            except (OSError, EOFError, Closed, AssertionError):
                return False

        wait_until(newcomer, "a newcomer is served again")
        broker.trigger("room", "still", "{}")
        old.expect("still", "room")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCHLD])
def test_signals_that_are_not_meant_to_end_it_do_not_disturb_it(broker, number):
    """F3"""
    with broker.client() as client:
        client.subscribe("room")
        for _ in range(200):
            broker.process.send_signal(number)
        client.nothing_until_pong()
        broker.trigger("room", "still", "{}")
        client.expect("still", "room")
        assert broker.is_running


def test_a_stopped_process_goes_on_where_it_was(broker):
    """C2 in the small: SIGSTOP and SIGCONT are no reason to lose a client"""
    with broker.client() as client:
        client.subscribe("room")
        broker.process.send_signal(signal.SIGSTOP)
        wait_until(broker.is_suspended, "the signal has stopped it")
        client.send("pusher:ping", {})
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.5)
        broker.process.send_signal(signal.SIGCONT)
        client.expect("pusher:pong")
        broker.trigger("room", "still", "{}")
        client.expect("still", "room")
