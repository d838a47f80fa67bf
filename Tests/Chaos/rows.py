#!/usr/bin/env python3
"""The reliability rows: what each is about, how its figures are shown, and when its long form was measured last.

    Tests/Chaos/rows.py [--update]      every row with the date and commit of its last long run; --update writes the table beside

A long run (Tests/run --long) keeps its figures in benchmarks/results/reliability.json, each row with its own date, because
rows may be run alone; reliability.md is made from it.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import subprocess
import sys
from dataclasses import asdict, dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks/results/reliability.json"

# Names as in the list of goals where it has one. What a row needs from the machine stands in its test.
ROWS = {
    "B5": "heads, bodies and TLS handshakes that dribble",
    "S1": "slow consumers of a busy channel",
    "L2": "connect, subscribe, close",
    "F1": "no descriptors left",
    "F2": "system calls that fail",
    "F3": "a full disk, no output, storms of signals",
    "F4": "clocks that are wrong",
    "T1": "old protocols, weak ciphers; a certificate that changes under handshakes",
    "W1": "webhook targets that are down, slow, failing, or send on",
    "W2": "kill -9 while webhooks are sent",
    "W3": "damaged spool files, a full disk",
    "W4": "members that come and go, told by webhooks",
    "W5": "webhooks over reloads, ends and takeovers",
    "X1": "secrets in what is said",
    "drain": "a broker that goes, and its clients with another",
    "kill": "kill -9, and a new start",
    "storm": "SIGHUP under load",
    "soak": "connections, churn and publishes for twenty minutes",
}


@dataclass
class Figure:
    """One measured value, and what it must be: at most `goal`, or exactly `goal`, or whatever it is when that is None."""

    name: str
    value: float | str
    unit: str = ""
    goal: float | None = None
    exact: bool = False
    bound: float | None = None  # beyond this the test fails; the goal, unless a busy machine deserves more

    @property
    def is_kept(self) -> bool:
        """The goal is reached. A row says so truly also where its test is patient."""
        return self.goal is None or (self.value == self.goal if self.exact else self.value <= self.goal)

    @property
    def has_failed(self) -> bool:
        return not self.is_kept and (self.bound is None or self.value > self.bound)

    def said(self) -> str:
        return f"{self.name} {shown(self.value)}{self.unit and ' ' + self.unit}"

    def wanted(self) -> str:
        if self.goal is None:
            return ""
        return shown(self.goal) if self.exact else f"≤ {shown(self.goal)}{self.unit and ' ' + self.unit}"


def shown(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


@dataclass
class Measured:
    """What one test says about a row."""

    row: str
    load: str
    figures: list[Figure] = field(default_factory=list)

    def at_most(self, name: str, value: float, goal: float, unit: str = "", *, bound: float | None = None) -> None:
        self.figures.append(Figure(name, value, unit, goal, bound=bound))

    def exactly(self, name: str, value: float, goal: float = 0) -> None:
        self.figures.append(Figure(name, value, "", goal, exact=True))

    def note(self, name: str, value: float | str, unit: str = "") -> None:
        self.figures.append(Figure(name, value, unit))

    def line(self) -> str:
        goals = "; ".join(text for figure in self.figures if (text := figure.wanted()) and (text := f"{figure.name} {text}"))
        missed = [figure.name for figure in self.figures if not figure.is_kept]
        said = "; ".join(figure.said() for figure in self.figures)
        return f"| {self.row} | {self.load} | {said} | {goals} | {'missed: ' + ', '.join(missed) if missed else '✓'} |"


HEAD = "| row | load | measured | must be | |\n|---|---|---|---|---|"


def kept() -> dict:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def commit() -> str:
    """That of the sources, `+` when some of them are not in it."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain", "--", "Sources"], capture_output=True, text=True).stdout.strip()
    return name + ("+" if changed else "")


def stamp() -> str:
    return f"{datetime.date.today().isoformat()}, commit {commit()}"


def keep(measured: list[Measured]) -> None:
    """Puts the figures of a long run into the file; other rows stay as they are."""
    everything = kept()
    for row in {one.row for one in measured}:
        everything[row] = {
            "date": datetime.date.today().isoformat(), "commit": commit(),
            "runs": [{"load": one.load, "figures": [asdict(figure) for figure in one.figures]}
                     for one in measured if one.row == row]}
    KEPT.write_text(json.dumps({row: everything[row] for row in ROWS if row in everything}, indent=1, ensure_ascii=False) + "\n")
    KEPT.with_suffix(".md").write_text(table(everything))


def table(everything: dict) -> str:
    lines = ["Made by `Tests/Chaos/rows.py` from `reliability.json`: the last long run of each row (`Tests/run --long --only chaos`).",
             "", "| row | load | measured | must be | | date, commit |", "|---|---|---|---|---|---|"]
    for row in ROWS:
        for run in everything.get(row, {}).get("runs", []):
            one = Measured(row, run["load"], [Figure(**figure) for figure in run["figures"]])
            lines.append(f"{one.line()} {everything[row]['date']}, {everything[row]['commit']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    everything = kept()
    if sys.argv[1:] == ["--update"]:
        KEPT.with_suffix(".md").write_text(table(everything))
    for row, what in ROWS.items():
        last = everything.get(row)
        print(f"{row:6} {last['date'] + ' ' + last['commit'] if last else 'never':18}  {what}")


if __name__ == "__main__":
    main()
