#!/usr/bin/env python3
"""Tables of a results.json of `benchmarks/run`.

benchmarks/table.py [FILE]        the whole table of one run, or of the newest one
benchmarks/table.py --readme      puts the newest one's comparison between the marks in README.md
"""

from __future__ import annotations

import json
import pathlib
import sys

import figures
import rows

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(results: dict, path: pathlib.Path) -> None:
    """One line for each run of each row, so that changes can be read."""
    head = {key: value for key, value in results.items() if key not in ("rows", "spectra", "searches")}
    text = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    for part in ("rows", "spectra", "searches"):
        text += f',\n "{part}": {{'
        text += ",".join(f"\n  {json.dumps(name)}: " + compact(value) for name, value in results[part].items()) + "}"
    path.write_text(text + "}\n")


def compact(value) -> str:
    def short(one):
        """Six digits are more than any figure deserves."""
        if isinstance(one, dict):
            return {key: short(value) for key, value in one.items()}
        if isinstance(one, list):
            return [short(value) for value in one]
        return float(f"{one:.6g}") if isinstance(one, float) else one

    def dump(one) -> str:
        one = short(one)
        return json.dumps(one, ensure_ascii=False, separators=(",", ":"))

    if isinstance(value, dict):
        return "{" + ",".join(f"\n   {dump(key)}: " + compact(one) for key, one in value.items()) + "}"
    return "[" + ",\n    ".join(dump(one) for one in value) + "]"


def newest() -> pathlib.Path | None:
    files = list((ROOT / "benchmarks/results").glob("*/results.json"))
    return max(files, key=lambda file: json.loads(file.read_text())["time"], default=None)


def verdict_text(verdict: tuple[str, str, bool | None]) -> str:
    goal, reached, kept = verdict
    if kept is None:
        return f"{goal}: {reached}"
    return f"{goal}: " + " ".join(filter(None, [reached, "reached" if kept else "**missed**"]))


def machine(results: dict) -> str:
    environment = results["environment"]
    memory = int(environment.get("memory", "0 kB").split()[0]) / 1_048_576
    changed = " with uncommitted changes" if results["changed"] else ""
    return (
        f"Commit {results['commit']}{changed}, {results['date']}: {environment.get('processor', '?')}, "
        f"{environment.get('cores', '?')} cores, {memory:.0f} GiB, {results['system']}, "
        f"kernel {environment.get('kernel', '?')}."
    )


def document(results: dict) -> str:
    """table.md"""
    servers = figures.present(results)
    environment = results["environment"]
    out = [f"# Starling {results['commit']} beside its peers", "", machine(results)]
    out += [
        f"Load before: {results['load_before']}; governor {environment.get('governor', 'unknown')}; open files "
        f"{environment.get('descriptors', '?')}; somaxconn {environment.get('somaxconn', '?')}; tcp_wmem "
        f"{environment.get('tcp_wmem', '?')}. " + ", ".join(f"{k} {v}" for k, v in results["versions"].items()) + ".",
        (
            "Generator and servers share the cores: ratios count, not absolute throughput. Each figure is the median "
            f"(min–max) of {results['runs']} runs of {results['duration']:g} s, interleaved; the whole took "
            f"{results['seconds'] / 60:.0f} minutes."
        ),
        "",
    ]
    out += [
        "| | unit | " + " | ".join(figures.NAMES.get(name, name) for name in servers) + " | must reach |",
        "|---|---|" + "---|" * (len(servers) + 1),
    ]
    for line in figures.shown(results):
        # How one build starts says nothing of another.
        apart = line.row == "start"
        cells = [
            "–" if apart and server != line.subject else figures.Cell(results, line, server).full for server in servers
        ]
        goals = "; ".join(verdict_text(one) for one in figures.verdicts(results, line)) or "–"
        out.append(f"| {line.title} | {line.unit} | " + " | ".join(cells) + f" | {goals} |")
    notes = [*rows.NOTES, *([rows.NOTE_OF_TLS] if "starling-tls" in servers else []),
        *([rows.NOTE_OF_WEBHOOKS] if "starling-webhooks" in servers else []), *([rows.NOTE_OF_SCHEMA_2] if results["schema"] < 3 else [])]
    out += ["", *[f"* {note}" for note in notes], ""]
    complaints = sorted(
        {
            f"* {row}, {server}: {reason}"
            for row, all_servers in results["rows"].items()
            for server, runs in all_servers.items()
            for run in runs
            for reason in run.get("invalid", [])
        }
    )
    if complaints:
        out += ["INVALID were:", "", *complaints, ""]
    return "\n".join(out)


def readme(results: dict) -> str:
    """What stands between the marks of README.md: ratios first, then what holds on one processor only."""
    processor = results["environment"].get("processor", "?")
    lines = [line for line in figures.shown(results) if line.goals]
    out = [
        BEGIN,
        "",
        "Made by `benchmarks/table.py --readme` from the newest `benchmarks/results`; `benchmarks/run` repeats it.",
        machine(results),
        f"Medians of {results['runs']} interleaved runs; generator and server share the cores, so ratios count.",
        "Loads are channels × subscribers of each and publishes a second; CPU-s are the server's, per million "
        "deliveries or as said.",
        "How each figure is measured: `benchmarks/README.md`.",
        "",
        "| load | must reach | unit | Starling | beside it |",
        "|---|---|---|---|---|",
    ]
    for line in lines:
        others = [
            f"{figures.reference_name(goal)} {beside(results, line, goal)}" for goal in line.goals if goal.server
        ]
        if others:
            unit = line.unit.removesuffix(" per million")
            cells = [line.title, goals_of(results, line), unit, ours(results, line), ", ".join(others)]
            out.append("| " + " | ".join(cells) + " |")
    out += ["", f"| on this {processor} | unit | Starling | must reach |", "|---|---|---|---|"]
    for line in lines:
        if not any(goal.server for goal in line.goals):
            out.append(f"| {line.title} | {line.unit} | {ours(results, line)} | {goals_of(results, line)} |")
    return "\n".join([*out, "", END])


def ours(results: dict, line: rows.Line) -> str:
    return figures.Cell(results, line, line.subject).short


def beside(results: dict, line: rows.Line, goal: rows.Goal) -> str:
    value = figures.reference(results, line, goal)
    return "–" if value is None else figures.number(value, line.digits)


def goals_of(results: dict, line: rows.Line) -> str:
    return "; ".join(readme_verdict(one) for one in figures.verdicts(results, line))


def readme_verdict(verdict: tuple[str, str, bool | None]) -> str:
    goal, reached, kept = verdict
    if kept is None:
        return f"{goal}: {reached}"
    return f"{goal}: {reached + ' ' if reached else ''}{'✓' if kept else '✗ missed'}"


def with_section(text: str, section: str) -> str:
    begin, end = text.index("<!-- measured: begin"), text.index(END) + len(END)
    return text[:begin] + section + text[end:]


def main(words: list[str]) -> None:
    to_readme = words == ["--readme"]
    path = newest() if to_readme or not words else pathlib.Path(words[0])
    if path is None:
        raise SystemExit("there is no benchmarks/results/*/results.json")
    results = json.loads(path.read_text())
    if not to_readme:
        print(document(results))
        return
    target = ROOT / "README.md"
    target.write_text(with_section(target.read_text(), readme(results)))


if __name__ == "__main__":
    main(sys.argv[1:])
