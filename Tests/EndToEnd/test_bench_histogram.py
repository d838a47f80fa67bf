"""The load generator's percentiles are those of the reference implementation (PyPI hdrhistogram)."""

from __future__ import annotations

import json
import math
import os
import pathlib
import random
import subprocess

import pytest

hdrh = pytest.importorskip("hdrh.histogram")

# Not from harness: this test needs no broker.
BINARY = os.environ.get("STARLING", str(pathlib.Path(__file__).resolve().parents[2] / ".build/release/starling"))


def ours(values: list[int]) -> dict:
    text = "".join(f"{value}\n" for value in values)
    done = subprocess.run([BINARY, "bench", "histogram"], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def theirs(values: list[int]):
    histogram = hdrh.HdrHistogram(1_000, 60_000_000_000, 3)
    for value in values:
        assert histogram.record_value(value)
    return histogram


def log_normal(generator: random.Random) -> int:
    return min(60_000_000_000, max(1, int(generator.lognormvariate(13, 2.5))))


SETS = {
    "one": lambda r: [1_234_567],
    "below a microsecond": lambda r: [r.randrange(0, 1_000) for _ in range(500)],
    "uniform": lambda r: [r.randrange(1, 60_000_000_000) for _ in range(20_000)],
    "latencies": lambda r: [log_normal(r) for _ in range(50_000)],
    "powers of two and their neighbours": lambda r: [(1 << n) + d for n in range(1, 35) for d in (-1, 0, 1)],
    "one slow in ten thousand": lambda r: [400_000] * 9_999 + [5_000_000_000],
}


@pytest.mark.parametrize("name", SETS)
def test_percentiles_agree(name):
    values = SETS[name](random.Random(20_26))
    mine, reference = ours(values), theirs(values)
    assert mine["total"] == reference.get_total_count() == len(values)
    for percent, value in mine["percentiles"].items():
        assert value == reference.get_value_at_percentile(float(percent)), percent
    assert math.isclose(mine["mean"], reference.get_mean_value(), rel_tol=1e-9)
    assert math.isclose(mine["deviation"], reference.get_stddev(), rel_tol=1e-9, abs_tol=1e-6)


@pytest.mark.parametrize("name", ["uniform", "latencies", "one slow in ten thousand"])
def test_spectrum_agrees(name):
    values = SETS[name](random.Random(7))
    reference = {}
    for point in theirs(values).get_percentile_iterator(5):
        # The iterator hands out one object, changed at each step.
        reference[round(point.percentile_level_iterated_to, 6)] = (
            point.value_iterated_to, point.total_count_to_this_value)
    for nanoseconds, quantile, count in ours(values)["spectrum"]:
        assert reference.get(round(quantile * 100, 6)) == (nanoseconds, count), quantile
