"""What a results.json says: figures over all runs, and which goals they reach."""

from __future__ import annotations

import statistics

import rows

NAMES = {"socketify": "uWebSockets under Python", "starling-2": "2 loops", "starling-static": "static", "starling-tls": "TLS", "tls-floor": "TLS floor", "starling": "Starling",
         "starling-webhooks": "webhooks", "webhooks-floor": "webhooks' floor", "starling-webhooks-batched": "webhooks, batched"}
ORDER = ["starling", "starling-2", "starling-static", "starling-tls", "tls-floor", "floor", "nchan", "socketify", "mosquitto", "redis",
         "starling-webhooks", "webhooks-floor", "starling-webhooks-batched"]

# What a publish costs, which nobody hears.
PUBLISH = rows.Line("rest", "", "server_cpu_per_10000_events", "CPU-s per 10,000", 3)


def number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


class Cell:
    """One figure of one server over all runs of a row."""

    def __init__(self, results: dict, line: rows.Line, server: str, row: str = ""):
        self.line = line
        hidden = server in line.without
        self.runs = [] if hidden else results["rows"].get(row or line.row, {}).get(server, [])
        counted = [run for run in self.runs if run["valid"]] if line.needs_valid else self.runs
        self.values = [run["figures"][line.figure] * line.scale for run in counted if line.figure in run["figures"]]
        self.lost = sum(run["figures"].get("lost", 0) for run in self.runs)
        self.invalid = sum(not run["valid"] for run in self.runs)

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def short(self) -> str:
        if self.median is None:
            return "INVALID" if self.runs else "–"
        return number(self.median, self.line.digits)

    @property
    def full(self) -> str:
        """Median (min–max), and what is wrong with it."""
        text = self.short
        if self.median is not None and len(self.values) > 1:
            text += f" ({number(min(self.values), self.line.digits)}–{number(max(self.values), self.line.digits)})"
        if self.invalid:
            text += f", {self.invalid} of {len(self.runs)} INVALID"
        return text + (f", lost {int(self.lost):,}" if self.lost else "")


def reference_name(goal: rows.Goal) -> str:
    if goal.name:
        return goal.name
    if goal.plus:
        return "alone"
    if goal.server == "starling":
        return goal.row.rsplit("-", 1)[-1] + " users" if goal.row else "1 loop"
    if goal.publish_row:
        return NAMES[goal.server].split()[0]
    return NAMES.get(goal.server, goal.server) + (f" ({goal.row})" if goal.row else "")


def reference(results: dict, line: rows.Line, goal: rows.Goal) -> float | None:
    """What a goal with a server compares with; None: it cannot be told."""
    cell = Cell(results, line, goal.server, goal.row)
    if not goal.publish_row:
        return cell.median
    publish = Cell(results, PUBLISH, goal.server, goal.publish_row).median
    if cell.median is None or publish is None:
        return None
    # Publishes of a million deliveries, and what they would cost if nobody heard them.
    counts = [run["figures"] for run in cell.runs if run["figures"].get("deliveries")]
    if not counts:
        return None
    publishes = statistics.median(1e6 * one["published"] / one["deliveries"] for one in counts)
    return max(0.0, cell.median - publishes * publish / 10_000)


def verdicts(results: dict, line: rows.Line) -> list[tuple[str, str, bool | None]]:
    """(goal, what was reached, whether it was reached) of each goal; None: it cannot be told."""
    ours = Cell(results, line, line.subject).median
    out = []
    for goal in line.goals:
        factor = number(goal.factor, 2 if goal.server else 2 if goal.factor < 1 else 0)
        text = f"{goal.relation} {factor}" + (f" × {reference_name(goal)}" if goal.server else "")
        if goal.plus:
            text = f"{goal.relation} {reference_name(goal)} + {goal.plus:g} {line.unit}"
        theirs = reference(results, line, goal) if goal.server else 1.0
        if ours is None or not theirs:
            out.append((text, "not measured", None))
            continue
        if goal.plus:
            more = ours - goal.factor * theirs
            out.append((text, f"{more:+.{line.digits}f}", more <= goal.plus))
            continue
        ratio = ours / theirs
        kept = ratio <= goal.factor if goal.relation == "≤" else ratio >= goal.factor
        out.append((text, number(ratio, 2) if goal.server else "", kept))
    return out


def present(results: dict) -> list[str]:
    found = {server for row in results["rows"].values() for server in row}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def shown(results: dict) -> list[rows.Line]:
    def measured(line: rows.Line) -> bool:
        servers = results["rows"].get(line.row, {})
        return line.subject in servers or line.row == "nchan-maximum" and bool(servers)

    return [line for line in rows.LINES if measured(line)]
