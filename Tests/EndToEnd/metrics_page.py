"""The metrics page, parsed, and which of its families the tests drive to a known value."""

from __future__ import annotations

import functools
import re
import subprocess

from prometheus_client.parser import text_string_to_metric_families

from harness import BINARY, DEADLINE, Broker

# Family → the tests that drive it.
DRIVEN: dict[str, list[str]] = {}


class Page:
    """A page, parsed: `page["starling_connections", {"app_id": "app-id"}]`."""

    # Samples whose values were looked at since this was last cleared.
    asked: set[str] = set()

    def __init__(self, text: str):
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                        for family in self.families.values() for sample in family.samples}

    def __getitem__(self, key) -> float:
        name, labels = key if isinstance(key, tuple) else (key, {})
        Page.asked.add(name)
        return self.samples.get((name, tuple(sorted(labels.items()))), 0)

    def of_app(self, name: str, app_id: str = "app-id", **labels) -> float:
        return self[name, {"app_id": app_id, **labels}]


def scrape(broker: Broker) -> Page:
    return Page(broker.metrics())


def drives(*families: str):
    """Says which families a test drives to a known value; whoever says so must have looked at a sample of each."""

    def of(test):
        for family in families:
            DRIVEN.setdefault(family, []).append(test.__name__)

        @functools.wraps(test)
        def run(*given, **named):
            Page.asked.clear()
            test(*given, **named)
            looked_at = Page.asked | {re.sub(r"_(bucket|sum|count)$", "", name) for name in Page.asked}
            assert not set(families) - looked_at, "the test never looks at these"

        return run

    return of


def documented() -> dict[str, tuple]:
    """Family → (type, labels, meaning), as `config docs` has them."""
    docs = subprocess.run([BINARY, "config", "docs"], capture_output=True, text=True, timeout=DEADLINE).stdout
    section = docs.split("## The metrics\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", section, re.MULTILINE)
    return {name: (kind, re.findall(r"`(\w+)`", labels), meaning) for name, kind, labels, meaning in rows}
