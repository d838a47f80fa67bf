"""Makes the table of one `benchmarks/run` from its JSON reports. Usage: table.py DIRECTORY COMMIT"""

from __future__ import annotations

import collections
import json
import pathlib
import statistics
import sys

# Row: what it shows, the figure, how many digits, and what is to be reached against whom (factor, peer) or as a number.
ROWS = {
    "fanout-spaced": ("1 × 1,000 subscribers, 50 publishes/s: server CPU-s per million deliveries",
                      "server_cpu_per_million_deliveries", 2, [("≤", 1.10, "floor"), ("≤", 0.72, "nchan")]),
    "fanout-flight": ("the same, 16 in flight", "server_cpu_per_million_deliveries", 3, [("≤", 0.85, "socketify")]),
    "pubsub": ("1,000 channels × 9, 1,000 publishes/s: CPU-s per million deliveries",
               "server_cpu_per_million_deliveries", 2, [("≤", 0.72, "nchan")]),
    "many-channels": ("20 channels, 10 per client, 64 in flight: CPU-s per million deliveries",
                      "server_cpu_per_million_deliveries", 3, [("≤", 0.25, "socketify")]),
    "rest": ("HTTP triggers, 16 connections: CPU-s per 10,000", "server_cpu_per_10000_events", 3, [("≤", 0.15, None)]),
    "rest-batch": ("the same in batches of 10: CPU-s per 10,000 events", "server_cpu_per_10000_events", 3,
                   [("≤", 0.06, None)]),
    "client-events": ("client events, 1,000 channels × 2, 5,000/s: CPU-s per 10,000",
                      "server_cpu_per_10000_client_events", 3, [("≤", 1.3, "floor")]),
    "client-events-flight": ("the same, 64 in flight", "server_cpu_per_10000_client_events", 3, [("≤", 1.3, "floor")]),
    "connect": ("connect and subscribe: connections per server CPU-s", "connects_per_server_cpu_second", 0,
                [("≥", 25_000, None)]),
    "idle": ("idle, subscribed: bytes of anonymous memory each", "anonymous_bytes_per_connection", 0, [("≤", 1_024, None)]),
}


def text(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def verdict(goals: list, medians: dict[str, float]) -> str:
    out = []
    for relation, factor, peer in goals:
        if peer and peer not in medians:
            continue
        ours, theirs = medians["starling"], medians[peer] if peer else 1
        ratio = ours / theirs if theirs else 0
        kept = ratio <= factor if relation == "≤" else ratio >= factor
        goal = f"{relation} {factor} × {peer}" if peer else f"{relation} {factor:,}"
        out.append(f"{goal}: {text(ratio, 2) + ' ' if peer else ''}{'reached' if kept else '**missed**'}")
    return "; ".join(out) or "–"


def main() -> None:
    directory, commit = pathlib.Path(sys.argv[1]), sys.argv[2]
    found: dict[str, dict[str, list]] = collections.defaultdict(lambda: collections.defaultdict(list))
    environment: dict = {}
    for file in sorted(directory.glob("*.json")):
        row, peer, _ = file.name.split(".", 2)
        report = json.loads(file.read_text())
        found[row][peer].append(report)
        environment = report["environment"]
    print(f"# Starling {commit} beside its peers\n")
    print(f"{environment.get('processor')}, {environment.get('cores')} cores, kernel {environment.get('kernel')}, "
          f"{environment.get('memory')}; descriptors {environment.get('descriptors')}. Generator and servers share the "
          "cores, so ratios count, not absolute throughput. Median (min–max); v/n: runs whose latencies are valid (costs do not depend on it).\n")
    peers = sorted({peer for row in found.values() for peer in row}, key=lambda p: (p != "starling", p))
    print("| | " + " | ".join(peers) + " | goal |\n|---|" + "---|" * (len(peers) + 1))
    for row, (title, figure, digits, goals) in ROWS.items():
        if row not in found:
            continue
        cells, medians = [], {}
        for peer in peers:
            values = [r["figures"][figure] for r in found[row][peer] if r["figures"].get(figure) is not None]
            if not values:
                cells.append("–")
                continue
            medians[peer] = statistics.median(values)
            valid = sum(r["valid"] for r in found[row][peer])
            lost = sum(r["figures"].get("lost", 0) for r in found[row][peer])
            cells.append(f"{text(medians[peer], digits)} ({text(min(values), digits)}–{text(max(values), digits)}) "
                         f"{valid}/{len(values)}" + (f" lost {lost:,}" if lost else ""))
        print(f"| {title} | " + " | ".join(cells) + f" | {verdict(goals, medians) if 'starling' in medians else '–'} |")


main()
