"""The load generator against a real broker: what it says happened is what must have happened."""

from __future__ import annotations

import json
import subprocess
import xml.dom.minidom

import pytest

from harness import BINARY, Broker, app

LIMITS = {"limits": {"clientEventsPerSecond": -1, "presenceMembers": 1_000}}


@pytest.fixture(scope="module")
def server():
    with Broker({"apps": [app(**LIMITS)]}) as running:
        yield running


def bench(server, tmp_path, *arguments):
    """Runs one scenario for a moment; gives (exit code, JSON report)."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [BINARY, "bench", *arguments, "--port", str(server.port), "--pid", str(server.pid), "--warmup", "0.1",
         "--duration", "0.5", "--quiet", "--json", str(report)], capture_output=True, text=True, timeout=60)
    assert report.exists(), done.stderr
    return done.returncode, json.loads(report.read_text())


EXACT = {
    "fan-out by a timetable": ["fanout", "--subscribers", "20", "--rate", "100"],
    "fan-out in flight": ["fanout", "--subscribers", "20", "--in-flight", "4"],
    "large payloads": ["fanout", "--subscribers", "5", "--in-flight", "2", "--payload", "9000"],
    "two threads": ["pubsub", "--channels", "20", "--subscribers", "3", "--rate", "200", "--threads", "2"],
    "several channels per client": ["pubsub", "--channels", "6", "--subscribers", "4", "--channels-per-client", "3",
                                    "--in-flight", "3"],
    "batches": ["pubsub", "--channels", "6", "--subscribers", "2", "--rate", "300", "--batch", "5"],
    "private channels": ["fanout", "--subscribers", "10", "--rate", "50", "--channel-type", "private"],
    "client events of three peers": ["client-events", "--channels", "5", "--peers", "3", "--rate", "200"],
    "client events in flight": ["client-events", "--channels", "5", "--in-flight", "4", "--threads", "2"],
    "beside churn": ["mixed", "--subscribers", "10", "--rate", "50", "--members", "5"],
}


@pytest.mark.parametrize("name", EXACT)
def test_every_delivery_is_accounted_for(server, tmp_path, name):
    _, report = bench(server, tmp_path, *EXACT[name])
    figures = report["figures"]
    assert figures["published"] > 10
    assert figures["accepted"] == figures["published"]
    assert figures["deliveries"] == figures["expected"] >= figures["published"]
    assert figures["lost"] == figures["duplicated"] == figures["reordered"] == figures["errors"] == 0
    assert 0 < figures["p50"] <= figures["p99"] <= figures["max"] * 1.001


def test_api_calls_and_queries(server, tmp_path):
    for more in ([], ["--batch", "5"], ["--query", "channels"], ["--query", "channel"]):
        _, report = bench(server, tmp_path, "rest", "--in-flight", "4", *more)
        assert report["figures"]["accepted"] == report["figures"]["published"] > 0
        assert report["notes"] == [note for note in report["notes"] if "complaint" not in note]


@pytest.mark.parametrize("arguments", [
    ["connect", "--connections", "100"],
    ["connect", "--connections", "100", "--channel-type", "presence", "--channels", "50"],
    ["idle", "--connections", "100"],
    ["reconnect-storm", "--connections", "100"],
], ids=lambda a: " ".join(a))
def test_everybody_connects(server, tmp_path, arguments):
    _, report = bench(server, tmp_path, *arguments)
    assert report["figures"]["p50"] > 0
    assert report["figures"]["connections_lost"] == 0


def test_a_presence_channel_fills_and_everybody_hears_of_everybody(server, tmp_path):
    _, report = bench(server, tmp_path, "presence", "--connections", "40")
    assert report["figures"]["joins"] == 40
    assert report["figures"]["member_added"] == 40 * 39 / 2
    assert report["figures"]["member_added_lost"] == 0


def test_churn_goes_on(server, tmp_path):
    _, report = bench(server, tmp_path, "churn", "--connections", "10", "--in-flight", "5")
    assert report["figures"]["joins"] >= report["figures"]["leaves"] > 10


def test_search_ends_when_the_level_breaks_and_plots(server, tmp_path):
    plot = tmp_path / "plot.svg"
    code, report = bench(server, tmp_path, "search", "--subscribers", "5", "--start-rate", "20", "--slo", "p99<1us",
                         "--svg", str(plot))
    assert code == 1
    assert [step["kept"] for step in report["steps"]] == [False]
    assert xml.dom.minidom.parse(str(plot)).documentElement.tagName == "svg"


def test_service_levels_set_the_exit_code(server, tmp_path):
    code, report = bench(server, tmp_path, "rest", "--in-flight", "1", "--slo", "p99<1us,rejected=0")
    assert code == 1
    assert [level["kept"] for level in report["service_levels"]] == [False, True]


def test_wrong_credentials_are_told(server, tmp_path):
    _, report = bench(server, tmp_path, "rest", "--in-flight", "1", "--secret", "wrong")
    assert report["figures"]["accepted"] == 0
    assert report["figures"]["rejected"] == report["figures"]["published"] > 0
    assert any("401" in note for note in report["notes"])


def test_a_missing_server_is_told():
    done = subprocess.run([BINARY, "bench", "connect", "--port", "1", "--connections", "2"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1
    assert "0 of 2" in done.stderr and "refused" in done.stderr
