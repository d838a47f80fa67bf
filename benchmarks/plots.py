"""SVG plots of the results of `benchmarks/run`, drawn by hand."""

from __future__ import annotations

import html
import math
import pathlib

import figures

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 70, 36, 56, 60
COLORS = ["#1a6", "#c60", "#25b", "#a2a", "#888"]


def document(height: float, title: str, body: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif" font-size="11">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n'
        f"{text(12, 22, title, size=13)}\n" + "\n".join(body) + "\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 11, color: str = "#000") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}">'
        f"{html.escape(words)}</text>"
    )


def goals(results: dict) -> str:
    """A bar for each goal: how much of what it allows is used."""
    bars = []
    for line in figures.shown(results):
        ours = figures.Cell(results, line, line.subject).median
        for goal, verdict in zip(line.goals, figures.verdicts(results, line)):
            theirs = figures.reference(results, line, goal) if goal.server else 1.0
            if ours is None or not theirs or verdict[2] is None:
                continue
            allowed = goal.factor * theirs
            share = ours / allowed if goal.relation == "≤" else allowed / ours
            bars.append((f"{line.title} ({line.unit})", verdict[0], share, verdict[2]))
    row, left = 30, 350
    scale = (WIDTH - left - 190) / max([1.2, *(min(share, 2.5) for *_, share, _ in bars)])
    body = []
    for index, (title, goal, share, kept) in enumerate(bars):
        y = TOP + 14 + index * row
        body.append(text(left - 8, y + 13, title, "end"))
        body.append(
            f'<rect x="{left}" y="{y}" width="{min(share, 2.5) * scale:.1f}" height="18" '
            f'fill="{"#1a6" if kept else "#c22"}"/>'
        )
        body.append(text(left + max(1, min(share, 2.5)) * scale + 6, y + 13, f"{share * 100:,.0f} % of {goal}"))
    bottom = TOP + 14 + len(bars) * row
    body.append(f'<path d="M{left + scale:.1f} {TOP}V{bottom}" stroke="#000" stroke-dasharray="4 3"/>')
    body.append(text(left + scale, TOP - 6, "the goal", "middle"))
    title = f"Starling {results['commit']}: share of what each goal allows (left of the line: reached)"
    return document(bottom + 16, title, body)


def chart(
    title: str,
    lines: dict[str, list[tuple[float, float]]],
    x_ticks: list[tuple[float, str]],
    x_title: str,
    y_title: str,
    dots: bool = False,
    y_top: float | None = None,
) -> str:
    """Lines over a linear x and a logarithmic y."""
    points = [point for line in lines.values() for point in line]
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    y_low = 10 ** math.floor(math.log10(max(1e-3, min(y for _, y in points))))
    y_high = y_top or 10 ** math.ceil(math.log10(max(y for _, y in points)))
    height = 420

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(max(y, y_low)) - math.log10(y_low)) / (math.log10(y_high) - math.log10(y_low) or 1)
        return (
            LEFT + (x - x_low) / ((x_high - x_low) or 1) * (WIDTH - LEFT - RIGHT),
            TOP + (1 - min(share, 1)) * (height - TOP - BOTTOM),
        )

    body = []
    power = math.log10(y_low)
    while 10**power <= y_high * 1.001:
        _, y = at(x_low, 10**power)
        body.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        body.append(text(LEFT - 6, y + 4, f"{10**power:g}", "end"))
        power += 1
    for x, label in x_ticks:
        if x_low <= x <= x_high:
            body.append(text(at(x, y_low)[0], height - BOTTOM + 16, label, "middle"))
    for (name, line), color in zip(lines.items(), COLORS):
        places = [at(x, y) for x, y in line]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline points="{joined}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        if dots:
            body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places]
        body.append(text(LEFT + 150 * list(lines).index(name), height - 8, f"■ {name}", color=color))
    body += [text(WIDTH - RIGHT, height - 26, x_title, "end"), text(LEFT - 50, TOP - 10, y_title)]
    return document(height, title, body)


def median_spectrum(spectra: list[dict]) -> list[list[float]]:
    """The run whose p99 is the median one; runs whose latencies mean nothing only when there are no others."""
    counted = [one for one in spectra if one["points"]]
    counted = [one for one in counted if one["valid"]] or counted
    return sorted(counted, key=lambda one: one["p99"])[len(counted) // 2]["points"] if counted else []


def spectrum(results: dict) -> str | None:
    lines = {}
    for server, spectra in results["spectra"].items():
        points = [
            (-math.log10(max(1e-6, 1 - quantile)), ms) for ms, quantile in median_spectrum(spectra) if quantile < 1
        ]
        if points:
            lines[figures.NAMES.get(server, server)] = points
    if not lines:
        return None
    labels = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]
    return chart(
        "Latency of a delivery at half of nchan's highest rate, 1,000 subscribers",
        lines,
        [(float(index), label) for index, label in enumerate(labels)],
        "percentile",
        "ms",
    )


def knee(results: dict) -> str | None:
    lines = {
        figures.NAMES.get(server, server): [
            (step["deliveries_per_second"] / 1e6, max(0.01, step["p99_ns"] / 1e6)) for step in steps
        ]
        for server, steps in results["searches"].items()
        if steps
    }
    if not lines:
        return None
    highest = max(x for line in lines.values() for x, _ in line)
    step = 10 ** math.floor(math.log10(highest)) / (2 if highest < 5 * 10 ** math.floor(math.log10(highest)) else 1)
    ticks = [(index * step, f"{index * step:g} M") for index in range(1, int(highest / step) + 1)]
    return chart(
        "p99 of a delivery over the rate (steps of 1.6, until 100 ms are passed)",
        lines,
        ticks,
        "deliveries a second",
        "p99, ms",
        dots=True,
    )


def write(results: dict, directory: pathlib.Path) -> None:
    if any(line.goals for line in figures.shown(results)):
        (directory / "goals.svg").write_text(goals(results))
    for name, drawn in (("spectrum", spectrum(results)), ("knee", knee(results))):
        if drawn:
            (directory / f"{name}.svg").write_text(drawn)
