"""The load generator against a real broker: what it says happened is what must have happened."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import sys
import xml.dom.minidom

import pytest

from certificates import Authority
from harness import BINARY, ROOT, Broker, app, named_app, wait_until

sys.path.insert(0, str(ROOT / "benchmarks"))
import figures  # noqa: E402
import rows  # noqa: E402
import servers as peers  # noqa: E402
import table  # noqa: E402

LIMITS = {"limits": {"clientEventsPerSecond": -1, "presenceMembers": 1_000}}


@pytest.fixture(scope="module")
def server():
    with Broker({"apps": [app(**LIMITS)]}) as running:
        yield running


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    with Broker({"tls": {**authority.leaf("server"), "only": True}, "apps": [app(**LIMITS)]}) as running:
        yield running, authority


def bench(server, tmp_path, *arguments):
    return bench_at(server.port, server.pid, tmp_path, *arguments)


def bench_at(port, pid, tmp_path, *arguments):
    """Runs one scenario for a moment; gives (exit code, JSON report)."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [BINARY, "bench", *arguments, "--port", str(port), "--pid", str(pid), "--warmup", "0.1",
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


def test_publishers_do_not_outrun_a_crowd_that_reads(tmp_path):
    """PW-180: eight publishers who wait for each answer, events of 60 KB for 300 clients on one loop, more than it can deliver"""
    with Broker({"loops": 1, "apps": [app(limits={"eventDataBytes": 100_000})]}) as broker:
        _, report = bench(broker, tmp_path, "fanout", "--subscribers", "300", "--payload", "60000",
                          "--rate", "1500", "--publishers", "8")
    figures = report["figures"]
    assert figures["published"] == figures["accepted"] == 900
    assert figures["connections_lost"] == figures["lost"] == figures["duplicated"] == figures["reordered"] == 0


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


@pytest.mark.parametrize("arguments", [
    ["fanout", "--subscribers", "20", "--in-flight", "4", "--payload", "9000"], ["client-events", "--channels", "5", "--rate", "200"],
    ["rest", "--in-flight", "4"], ["connect", "--connections", "200"], ["churn", "--connections", "20"]], ids=lambda a: a[0])
def test_load_over_tls(secure_server, tmp_path, arguments):
    """Every connection, also those of the API, and each delivery is accounted for as without."""
    broker, authority = secure_server
    _, report = bench(broker, tmp_path, *arguments, "--host", "localhost", "--tls-ca", authority.ca)
    figures = report["figures"]
    assert figures["p50"] > 0 and figures["connections_lost"] == figures["errors"] == 0
    assert figures.get("lost", 0) == figures.get("duplicated", 0) == figures.get("reordered", 0) == 0
    assert figures.get("published", 1) == figures.get("accepted", 1) > 0
    assert report["environment"]["path"].endswith(", TLS")


def test_load_over_tls_checks_the_certificate(secure_server, tmp_path):
    broker, authority = secure_server
    for trust, words in [("--tls", "certificate is not trusted"), ("--tls-insecure", ""), ("--tls-ca=/nowhere", "--tls-ca: /nowhere")]:
        done = subprocess.run([BINARY, "bench", "rest", "--in-flight", "2", "--duration", "0.2", "--warmup", "0", trust, "--port",
                               str(broker.port)], capture_output=True, text=True, timeout=60)
        assert words in done.stderr and (done.returncode == 0 or words or "INVALID" in done.stdout), done


def test_a_run_of_which_nothing_was_accepted_is_invalid(server, tmp_path):
    status, report = bench(server, tmp_path, "rest", "--in-flight", "2", "--secret", "wrong")
    assert status == 1 and report["figures"]["rejected"] > 0
    assert any("none of" in reason and "accepted" in reason for reason in report["invalid"])


def test_a_run_with_refusals_is_faulty_unless_they_are_allowed(tmp_path):
    limits = {"backendEventsPerSecond": 5}
    with Broker({"apps": [app(limits=limits), named_app("other", limits=limits)]}) as server:
        arguments = ["rest", "--in-flight", "2"]
        status, report = bench(server, tmp_path, *arguments)
        rejected = report["figures"]["rejected"]
        assert (status, report["valid"]) == (1, True)
        assert report["faults"] == [f"{rejected:,} calls or events rejected"]
        arguments += ["--app", "other", "--key", "other-key", "--secret", "other-secret"]
        status, report = bench(server, tmp_path, *arguments, "--allow", "rejected")
        assert (status, report["faults"]) == (0, [])


def test_connections_lost_make_a_run_faulty(tmp_path):
    with Broker({"shutdownGraceSeconds": 1, "apps": [app()]}) as server:
        report = tmp_path / "report.json"
        bench_process = subprocess.Popen(
            [BINARY, "bench", "connect", "--connections", "20", "--duration", "5", "--port", str(server.port), "--json",
             str(report), "--quiet"], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: server.api("GET", "/connections")[1] == {"connections": 20}, "everybody is there")
        server.begin_drain()
        text, _ = bench_process.communicate(timeout=60)
    assert bench_process.returncode == 1
    assert json.loads(report.read_text())["faults"] == ["20 connections lost", "20 pusher:error frames"]
    assert "FAULTY: 20 connections lost, 20 pusher:error frames (--allow connections_lost,errors" in text.splitlines()[-1]


def test_two_runs_that_meet_begin_together(server, tmp_path):
    """The second has a crowd to connect first: by its own clock the first would have been over by then."""
    meet = tmp_path / "meet"
    meet.mkdir()
    crowd = subprocess.Popen(
        [BINARY, "bench", "fanout", "--subscribers", "200", "--connect-rate", "200", "--rate", "20", "--port",
         str(server.port), "--warmup", "0.1", "--duration", "0.5", "--quiet", "--meet", str(meet), "--json",
         str(tmp_path / "crowd.json")], stdout=subprocess.PIPE)
    _, probe = bench(server, tmp_path, "rest", "--rate", "50", "--query", "channel", "--meet", str(meet))
    crowd.communicate(timeout=60)
    crowd = json.loads((tmp_path / "crowd.json").read_text())
    assert len(list(meet.iterdir())) == 2
    assert probe["figures"]["accepted"] > 10 and crowd["figures"]["deliveries"] > 200
    for report in (probe, crowd):
        assert not [reason for reason in report["invalid"] if "second run" in reason]


def test_a_run_that_meets_nobody_is_invalid(server, tmp_path):
    status, report = bench(server, tmp_path, "rest", "--rate", "50", "--query", "channel", "--meet", "/nowhere")
    assert status == 1 and "no second run came to /nowhere" in report["invalid"]


def test_idle_clients_ping(server, tmp_path):
    _, report = bench(server, tmp_path, "idle", "--connections", "100", "--ping-interval", "0.5")
    assert report["figures"]["pings"] == report["figures"]["pongs"] > 50


def test_everybody_leaves_at_once(server, tmp_path):
    _, report = bench(server, tmp_path, "leave", "--connections", "50", "--channels", "40", "--channels-per-client",
                      "10", "--probe-rate", "50")
    figures = report["figures"]
    assert (figures["subscriptions"], figures["probes"], figures["failed_probes"]) == (500, 50, 0)
    assert figures["connections"] == 0 and 0 < figures["p50"] <= figures["max"] * 1.001
    assert 0 < figures["anonymous_bytes_before"] <= figures["anonymous_bytes_peak"]
    for kind in ("rss", "anonymous"):
        assert figures[f"{kind}_after_percent"] == pytest.approx(
            figures[f"{kind}_bytes_after"] / figures[f"{kind}_bytes_before"] * 100)


def test_a_presence_channel_fills_and_everybody_hears_of_everybody(server, tmp_path):
    _, report = bench(server, tmp_path, "presence", "--connections", "40")
    assert report["figures"]["joins"] == 40
    assert report["figures"]["member_added"] == 40 * 39 / 2
    assert report["figures"]["member_added_lost"] == 0
    # A join is answered with a roster and told to the others: more than a hundred bytes each, less than a kilobyte.
    assert 20 * 100 < report["figures"]["bytes_per_join"] < 40 * 1_000


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


def test_a_plot_says_where_it_comes_from_and_keeps_the_secret(server, tmp_path):
    plot = tmp_path / "plot.svg"
    code, report = bench(server, tmp_path, "rest", "--in-flight", "1", "--host", "localhost", "--secret", "app-secret",
                         "--svg", str(plot))
    assert code == 0, report
    texts = [node.firstChild.data for node in xml.dom.minidom.parse(str(plot)).getElementsByTagName("text")]
    joined = " ".join(texts)
    for part in (platform.node(), platform.release(), "bench rest", "--host localhost", "starling ", "VALID"):
        assert part in joined
    assert "app-secret" not in joined and "app-secret" not in json.dumps(report)
    # Both axes of the percentiles.
    panel = texts[texts.index("percentiles (ms)") + 1:]
    assert sum("%" in text or text == "0" for text in panel) >= 2
    assert sum(text.replace(".", "").isdigit() for text in panel) >= 3


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


# Servers that are not Pusher's.

RAW_FRAMES = ["--raw-subscribe", "/app/any", "--raw-subscribe-frame",
              '{"event":"pusher:subscribe","data":{"channel":"{channel}"}}', "--raw-publish-frame",
              '{"event":"client-bench","channel":"{channel}","data":"{data}"}']
FOREIGN = {
    "floor": ["fanout", "--subscribers", "20", "--rate", "50"],
    "floor by frames": ["client-events", "--channels", "5", "--peers", "3", "--rate", "200", *RAW_FRAMES],
    "nchan": ["fanout", "--subscribers", "20", "--rate", "50"],
    "mosquitto": ["fanout", "--subscribers", "20", "--rate", "50"],
    "mosquitto in flight": ["fanout", "--subscribers", "20", "--in-flight", "4"],
    "redis": ["fanout", "--subscribers", "20", "--rate", "50"],
    "redis, large payloads": ["pubsub", "--channels", "5", "--subscribers", "3", "--in-flight", "4", "--payload",
                              "9000"],
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_servers_are_spoken_to(tmp_path, tmp_path_factory, name):
    kind = name.split(",")[0].split()[0]
    work = tmp_path_factory.mktemp("peer")
    for directory in (work, *list(work.parents)[:2]):
        directory.chmod(0o755)  # mosquitto gives up root before it reads
    started = peers.Servers(BINARY, None, work, 7_600)
    if reason := started.missing(kind):
        pytest.skip(reason)
    with started.run(kind) as (port, pid):
        _, report = bench_at(port, pid, tmp_path, *FOREIGN[name], *started.arguments(kind))
    figures = report["figures"]
    assert figures["deliveries"] == figures["expected"] > 100
    assert figures["lost"] == figures["duplicated"] == figures["reordered"] == 0
    assert figures["server_cpu_per_million_deliveries"] > 0


# benchmarks/run and its tables

def test_the_comparison_runs_and_writes_its_table_and_plots(tmp_path):
    done = subprocess.run([ROOT / "benchmarks/run", "--runs", "2", "--duration", "0.2", "--servers", "starling",
                           "--rows", "rest-batch,start,presence-250,presence-1000", "--output", tmp_path,
                           "--port", "7800"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "STARLING": str(BINARY)})
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row: len(servers["starling"]) for row, servers in results["rows"].items()} == {
        "rest-batch": 2, "presence-250": 2, "presence-1000": 2, "start": 9}
    assert (tmp_path / "table.md").read_text() == table.document(results)
    assert "join storm, 1,000 users" in table.document(results)
    assert xml.dom.minidom.parse(str(tmp_path / "goals.svg")).documentElement.tagName == "svg"


def results_of(**runs):
    """Results of one row, `fanout-32`: server → (figure, valid) of each run, of 1,000 deliveries a publish."""
    figure = "server_cpu_per_million_deliveries"
    found = {name: [{"valid": valid, "invalid": [] if valid else ["late"],
                     "figures": {figure: value, "p99": value, "published": 50, "deliveries": 50_000}}
                    for value, valid in values] for name, values in runs.items()}
    return {"schema": 3, "rows": {"fanout-32": found}}


def goal_on_fanout(goal):
    return dataclasses.replace(next(line for line in rows.LINES if line.row == "fanout-32"), goals=(goal,))


@pytest.mark.parametrize("ours, theirs, expected", [
    ([1, 9, 2], [3, 3, 3], "≤ 0.85 × floor: 0.67 reached"),
    ([9, 3, 1], [3, 3, 3], "≤ 0.85 × floor: 1.00 **missed**"),
    ([1], [], "≤ 0.85 × floor: not measured"),
])
def test_a_goal_is_judged_by_medians_of_the_same_row(ours, theirs, expected):
    results = results_of(starling=[(value, True) for value in ours], floor=[(value, True) for value in theirs])
    line = goal_on_fanout(rows.most(0.85, "floor"))
    assert [table.verdict_text(one) for one in figures.verdicts(results, line)] == [expected]


@pytest.mark.parametrize("alone, ours, expected", [
    ([10, 2, 3], [8, 9, 7], "≤ alone + 5 ms: +5.0 reached"),
    ([3], [8.1], "≤ alone + 5 ms: +5.1 **missed**"),
    ([3], [2], "≤ alone + 5 ms: -1.0 reached"),
    ([], [2], "≤ alone + 5 ms: not measured"),
])
def test_a_goal_may_be_so_much_more_than_another_row(alone, ours, expected):
    results = results_of(starling=[])
    for row, values in (("listing-alone", alone), ("beside-listing", ours)):
        results["rows"][row] = {"starling": [{"valid": True, "figures": {"p99": value}} for value in values]}
    line = rows.Line("beside-listing", "", "p99", "ms", 1, (rows.Goal("≤", 1, "starling", "listing-alone", plus=5),))
    assert [table.verdict_text(one) for one in figures.verdicts(results, line)] == [expected]


@pytest.mark.parametrize("publish, ours, expected", [
    (10, 1.6, "≤ 0.85 × uWebSockets: 0.80 reached"),  # 10 CPU-s per 10,000 publishes: 1 of the 3 per million deliveries
    (10, 1.8, "≤ 0.85 × uWebSockets: 0.90 **missed**"),
    (0, 2.4, "≤ 0.85 × uWebSockets: 0.80 reached"),
    (30, 1, "≤ 0.85 × uWebSockets: not measured"),  # nothing is left
    (None, 1, "≤ 0.85 × uWebSockets: not measured"),
])
def test_what_a_publish_costs_a_peer_besides_is_no_part_of_a_ratio(publish, ours, expected):
    results = results_of(starling=[(ours, True)], socketify=[(3, True)])
    if publish is not None:
        results["rows"]["rest"] = {"socketify": [{"valid": True, "figures": {"server_cpu_per_10000_events": publish}}]}
    line = goal_on_fanout(rows.most_beside_deliveries(0.85, "socketify"))
    assert [table.verdict_text(one) for one in figures.verdicts(results, line)] == [expected]


def test_no_ratio_rests_on_a_handicap_of_a_peer():
    """The peer under Python is compared without its Python; where the figure is its requests, not at all."""
    goals = [(line, goal) for line in rows.LINES for goal in line.goals if goal.server == "socketify"]
    assert {line.row for line, _ in goals} == {"fanout-16", "fanout-32", "many-channels"}
    assert all(goal.publish_row == "rest" for _, goal in goals)
    taking_part = {row.name: row.servers.split() for row in rows.ROWS}
    for line in rows.LINES:
        for goal in line.goals:
            for row in filter(None, [goal.server and (goal.row or line.row), goal.publish_row]):
                assert goal.server in taking_part[row], f"{line.title}: nobody measures {goal.server} in {row}"


def test_the_readme_lets_ratios_lead_and_names_the_processor_of_the_rest():
    results = json.loads(table.newest().read_text())
    ratios, absolute = table.readme(results).split("| on this ")
    assert absolute.startswith(results["environment"]["processor"] + " |")
    for part, has_ratio in ((ratios, True), (absolute, False)):
        for line in part.splitlines():
            if "✓" in line or "missed" in line:
                is_ratio = " × " in line.replace("1 × 1", "").replace("channels × ", "") or "≤ alone + " in line
                assert is_ratio == has_ratio, line


def test_invalid_runs_are_told_and_do_not_count_where_they_mean_nothing():
    line = next(line for line in rows.LINES if line.row == "fanout-32")
    results = results_of(starling=[(1, True), (3, False)])
    assert figures.Cell(results, line, "starling").full == "2.000 (1.000–3.000), 1 of 2 INVALID"
    strict = rows.Line("fanout-32", "", "p99", "ms", 0, needs_valid=True)
    assert figures.Cell(results, strict, "starling").full == "1, 1 of 2 INVALID"
    assert figures.Cell(results_of(starling=[(3, False)]), strict, "starling").short == "INVALID"


def test_the_readme_holds_what_the_newest_results_say():
    newest = table.newest()
    assert newest is not None
    text, section = (ROOT / "README.md").read_text(), table.readme(json.loads(newest.read_text()))
    assert table.with_section(text, section) == text, "run benchmarks/table.py --readme"
    assert all(len(line) <= 140 for line in section.splitlines())


def test_results_in_the_repository_are_compact():
    kept = list(pathlib.Path(ROOT / "benchmarks/results").iterdir())
    # Rows of reliability, and the soak: `Tests/run --long --only chaos` keeps their last results.
    assert {file.name for file in kept if file.is_file()} <= {"reliability.json", "reliability.md", "soak.md"}
    for directory in (one for one in kept if one.is_dir()):
        names = {file.name for file in directory.iterdir()}
        assert names <= {"results.json", "table.md", "goals.svg", "spectrum.svg", "knee.svg"}, directory
        results = json.loads((directory / "results.json").read_text())
        assert (directory / "table.md").read_text() == table.document(results)
