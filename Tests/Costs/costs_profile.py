"""Where the instructions and the allocations of each row come from, as Markdown."""

from __future__ import annotations

import subprocess
from collections import Counter

from callgrind import ALLOCATORS, SYSTEM_CALLS, Costs, bare

# Each allocation with its callers: in a run of its own, because that scatters what the allocator itself costs.
VALGRIND_OPTIONS = tuple(f"--separate-callers12={name}" for name in ALLOCATORS)
FUNCTIONS_SHOWN = 30
# Whose callers are listed.
RUNTIME = ("swift_beginAccess", "swift_retain", "swift_release", "swift_bridgeObjectRetain",
           "swift_bridgeObjectRelease", "swift_isUniquelyReferenced_nonNull_native", "swift_allocObject")
# Not worth naming in a chain of callers.
PLUMBING = ("swift_slowAlloc", "swift_allocObject", "_swift_allocObject_")
# What a program in another language would not pay: the first matching word decides.
SHARES = (
    ("exclusivity checks", ("swift_beginAccess", "swift_endAccess", "AccessSet", "SwiftTLSContext", "__tls_get_addr")),
    ("allocation", ("alloc", "free", "unlink_chunk", "tcache")),
    ("reference counts", ("swift_retain", "swift_release", "RefCount", "bridgeObject", "UniquelyReferenced")),
)


def demangled(rows: list[Costs]) -> dict[str, str]:
    names = {part for costs in rows for _, function in costs.instructions for part in function.split("'")}
    names |= {part for costs in rows for _, (_, callee) in costs.calls for part in callee.split("'")}
    ordered = sorted(names)
    told = subprocess.run(["swift", "demangle", "--compact", "--simplified"], input="\n".join(ordered), text=True,
                          capture_output=True, check=True).stdout.splitlines()
    return dict(zip(ordered, told))


def callers(costs: Costs, name: str) -> Counter:
    found: Counter = Counter()
    for ((where, caller), (_, callee)), count in costs.calls.items():
        if bare(callee) == name and where != "steady.so":
            found[bare(caller)] += count
    return found


def markdown(rows: list, chains: list) -> str:
    """`rows` without and `chains` with VALGRIND_OPTIONS; both are (name, operations, costs)."""
    plain = demangled([costs for _, _, costs in rows + chains])
    lines = ["# User-space costs per operation", "", *shares(rows, plain)]
    for (name, operations, costs), (_, _, chained) in zip(rows, chains):
        lines += ["", f"## {name}", "", *section(operations, costs, plain)]
        lines += ["", "Allocations and who asked for them:", ""]
        lines += [f"* {count / operations:.2f} {text}" for text, count in allocations(chained, plain).most_common(25)
                  if count / operations >= 0.005]
    return "\n".join(lines) + "\n"


def shares(rows: list, plain: dict) -> list[str]:
    """How the instructions of all object files divide."""
    titles = [title for title, _ in SHARES]
    lines = ["| | all | OpenSSL | " + " | ".join(titles) + " | the rest |", "|---|" + "---:|" * (3 + len(titles))]
    for name, operations, costs in rows:
        spent: Counter = Counter()
        for (where, function), count in costs.instructions.items():
            words = plain[function.partition("'")[0]]
            title = next((title for title, parts in SHARES if any(part in words for part in parts)), "rest")
            if where.startswith("libcrypto"):
                title = "OpenSSL"
            if where != "steady.so":
                spent[title] += count
        cells = [sum(spent.values()), spent["OpenSSL"], *(spent[title] for title in titles), spent["rest"]]
        lines.append(f"| {name} | " + " | ".join(f"{cell / operations:,.0f}" for cell in cells) + " |")
    return lines


def section(operations: int, costs: Costs, plain: dict) -> list[str]:
    def each(count: int) -> str:
        return f"{count / operations:,.2f}"

    objects = [f"{where} {count / operations:,.0f}" for where, count in costs.by_object().most_common()
               if where != "steady.so" and count >= operations]
    called: Counter = Counter()
    for (_, callee), count in costs.calls.items():
        called[callee] += count
    lines = ["By object file: " + ", ".join(objects), "", "| instructions | calls | object file | function |",
             "|---:|---:|---|---|"]
    for (where, function), count in costs.instructions.most_common(FUNCTIONS_SHOWN):
        if where != "steady.so":
            shown = plain[function.partition("'")[0]][:160]  # callgrind marks inner levels of a recursion by '2
            lines.append(f"| {each(count)} | {each(called[where, function])} | {where} | `{shown}` |")
    lines += ["", "Calls that cost, and the functions that make them:", ""]
    for wanted in RUNTIME + SYSTEM_CALLS:
        found = callers(costs, wanted)
        if total := sum(found.values()):
            makers = ", ".join(f"`{plain.get(who, who)[:70]}` {each(count)}" for who, count in found.most_common(12))
            lines.append(f"* {wanted} {each(total)}: {makers}")
    return lines


def allocations(costs: Costs, plain: dict) -> Counter:
    """By allocator and the six callers nearest to it, without the runtime's own."""
    found: Counter = Counter()
    for (_, (_, callee)), count in costs.calls.items():
        allocator, *chain = callee.split("'")
        if allocator in ALLOCATORS:
            nearest = [plain.get(part, part)[:80] for part in chain if part not in PLUMBING][:6]
            found[f"`{allocator}` ← " + " ← ".join(f"`{part}`" for part in nearest)] += count
    return found
