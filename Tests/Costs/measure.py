#!/usr/bin/env python3
"""Counts what the hot paths of the release daemon cost, and compares with figures.json:

    Tests/Costs/measure.py [--update] [--profile FILE] [BINARY]

BINARY is .build/release/starling unless said. Needs valgrind, a C compiler (CC=…) and `strip`.
--update writes what was measured to figures.json; --profile writes to FILE which functions spend it.

Counted are instructions of the daemon and of the Swift libraries, and the allocations and system calls they ask for.
Instructions of the C library and of OpenSSL are shown but not compared: those choose their code by the processor.
Exit status 1: a figure differs; 3: nothing can be measured here.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import costs_profile
from callgrind import ALLOCATORS, SYSTEM_CALLS, Costs
from daemon import COMPILER, Daemon
from scenarios import CONFIG, CONFIG_WITH_WEBHOOKS, Scenarios

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "figures.json"
OPERATIONS = 200
# Two runs give the same numbers to the last digit, also on a busy machine and from another build of the same source.
# The margin (a share, and at least so much) is for unrelated changes: the compiler inlines a little differently, or a
# table grows in another row.
MARGINS = {"instructions": (0.01, 0.5), "allocations": (0.005, 0.005), "system calls": (0.005, 0.005)}
CANNOT = 3


def figures(operations: int, costs: Costs) -> dict[str, float]:
    return {"instructions": round(costs.our_instructions() / operations, 1),
            "allocations": round(costs.our_calls(ALLOCATORS) / operations, 3),
            "system calls": round(costs.our_calls(SYSTEM_CALLS) / operations, 3)}


def measured(binary: pathlib.Path, valgrind_options: tuple = ()) -> list:
    with Daemon(binary, CONFIG, valgrind_options) as daemon:
        rows = list(Scenarios(daemon, OPERATIONS).rows())
    with Daemon(binary, CONFIG_WITH_WEBHOOKS, valgrind_options) as daemon:
        return rows + list(Scenarios(daemon, OPERATIONS).rows_with_webhooks())


def swift_version() -> str:
    if not shutil.which("swift"):
        return "unknown"
    said = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"Swift version (\S+)", said)
    return found.group(1) if found else "unknown"


def compare(rows: dict[str, dict[str, float]], stored: dict[str, dict[str, float]]) -> tuple[list[str], set[str]]:
    """The table's lines, and the rows that differ."""
    lines = [" " * 35 + "".join(f"{what + ': stored, now':>29}" for what in MARGINS)]
    differing = set()
    for name in [*rows, *(name for name in stored if name not in rows)]:
        if name not in rows or name not in stored:
            differing.add(name)
            lines.append(f"{name:35} {'NOT MEASURED any more' if name in stored else 'NOT STORED'}")
            continue
        cells, verdicts = "", []
        for what, (share, least) in MARGINS.items():
            before, now = stored[name][what], rows[name][what]
            cells += f"{before:14,.2f} {now:14,.2f}"
            if abs(now - before) > max(share * before, least):
                differing.add(name)
                change = f" {(now - before) / before:+.1%}" if before else ""
                verdicts.append(f"{'MORE' if now > before else 'FEWER'} {what}{change}")
        lines.append(f"{name:35}{cells}  {', '.join(verdicts)}".rstrip())
    return lines, differing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?", type=pathlib.Path, default=HERE.parents[1] / ".build/release/starling")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--profile", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()
    if not options.binary.exists():
        parser.error(f"{options.binary} is not there: swift build -c release --product starling")
    missing = [tool for tool in ("valgrind", COMPILER, "strip") if not shutil.which(tool)]
    if missing:
        print("costs: cannot be measured without " + ", ".join(missing))
        return CANNOT
    machine, version = platform.machine(), swift_version()
    stored = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"machine": machine, "swift": version, "rows": {}}
    if stored["machine"] != machine and not options.update:
        print(f"costs: the stored figures are of {stored['machine']}, this is {machine}")
        return CANNOT
    results = measured(options.binary)
    rows = {name: figures(operations, costs) for name, operations, costs in results}
    if options.profile:
        chains = measured(options.binary, costs_profile.VALGRIND_OPTIONS)
        options.profile.write_text(costs_profile.markdown(results, chains))
    lines, differing = compare(rows, stored["rows"])
    print("\n".join(lines))
    print("\nInstructions that are not compared:")
    for name, operations, costs in results:
        others = [(where, count / operations) for where, count in costs.by_object().most_common()]
        print(f"{name:35} " + ", ".join(f"{where.partition('.so')[0]} {count:,.0f}" for where, count in others
                                        if where.startswith(("libc.", "libcrypto.", "ld-"))))
    if options.update:
        FIGURES.write_text(json.dumps({"machine": machine, "swift": version, "rows": rows}, indent=2) + "\n")
        print(f"\ncosts: {len(rows)} rows written to {FIGURES.name}")
        return 0
    if differing:
        if stored["swift"] != version:
            print(f"\nThe stored figures are of Swift {stored['swift']}, this is {version}: perhaps it is that.")
        print("\nMore wants a reason, fewer is to be kept: run Tests/Costs/measure.py --update, commit figures.json.")
    total = len(rows.keys() | stored["rows"].keys())
    print(f"\ncosts: {total - len(differing)} rows as stored, {len(differing)} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
