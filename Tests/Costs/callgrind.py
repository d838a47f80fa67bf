"""Reads callgrind's output: who spent instructions, and who called whom how often."""

from __future__ import annotations

import pathlib
import re
from collections import Counter
from dataclasses import dataclass, field

ALLOCATORS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign")
SYSTEM_CALLS = ("accept4", "close", "connect", "epoll_ctl", "epoll_wait", "fcntl", "getpeername", "getsockname",
                "getsockopt", "madvise", "mmap", "munmap", "read", "readv", "recv", "recvfrom", "recvmsg", "send",
                "sendmsg", "sendto", "setsockopt", "shutdown", "socket", "write", "writev")


def is_ours(where: str) -> bool:
    """The daemon and the Swift libraries. The C library and OpenSSL choose their code by the processor."""
    return where == "starling" or where.startswith("libswift")


def bare(function: str) -> str:
    """Without the callers that `--separate-callers` appends, and without the symbol's version."""
    return function.partition("'")[0].partition("@")[0]


@dataclass
class Costs:
    """What a stretch of the daemon's life cost. A place is (object file's name, function)."""

    instructions: Counter = field(default_factory=Counter)  # by place
    calls: Counter = field(default_factory=Counter)  # by (caller's place, callee's place)

    def __sub__(self, other: "Costs") -> "Costs":
        rest = Costs(Counter(self.instructions), Counter(self.calls))
        rest.instructions.subtract(other.instructions)
        rest.calls.subtract(other.calls)
        return rest

    def our_instructions(self) -> int:
        return sum(count for (where, _), count in self.instructions.items() if is_ours(where))

    def our_calls(self, names: tuple) -> int:
        """How often the daemon or the Swift libraries called one of these functions of another library."""
        return sum(count for ((caller, _), (callee, function)), count in self.calls.items()
                   if is_ours(caller) and not is_ours(callee) and bare(function) in names)

    def by_object(self) -> Counter:
        totals: Counter = Counter()
        for (where, _), count in self.instructions.items():
            totals[where] += count
        return totals


_NAME = re.compile(r"\((\d+)\)(?: (.*))?")


def read(path: pathlib.Path) -> Costs:
    """One dump. A name is written out once and then by number; `ob` and `cob` share numbers, so do `fn` and `cfn`."""
    costs, names = Costs(), {"ob": {}, "fn": {}}
    where, function, callee_where, callee, is_call = "", "", None, "", False

    def name(kind: str, text: str) -> str:
        number, full = _NAME.fullmatch(text).groups()
        if full is not None:
            names[kind][number] = full.rpartition("/")[2] if kind == "ob" else full
        return names[kind][number]

    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "ob":
            where = name("ob", value)
        elif key == "fn":
            function = name("fn", value)
        elif key == "cob":
            callee_where = name("ob", value)
        elif key == "cfn":
            callee = name("fn", value)
        elif key == "calls":
            # Without `cob` the callee is in the caller's object file.
            target = (where if callee_where is None else callee_where, callee)
            costs.calls[(where, function), target] += int(value.split()[0])
            is_call, callee_where = True, None
        elif line[:1].isdigit():
            if is_call:
                is_call = False  # what the callee cost, which stands at the callee too
            else:
                costs.instructions[where, function] += int(line.split()[1])
    return costs
