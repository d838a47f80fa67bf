"""What the kernel knows of a process and of its sockets."""

from __future__ import annotations

import os
import pathlib
import threading
import time


def processor_seconds(pid: int) -> float:
    """User and system time of the process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kernel_tcp_bytes() -> int:
    """Memory of all TCP sockets of this machine, both ends of what goes over loopback."""
    for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def mebibytes(count: float) -> float:
    return count / (1 << 20)


class Peaks:
    """Looks at the broker ten times a second and keeps the largest values."""

    def __init__(self, broker):
        self.broker, self.resident, self.kernel = broker, 0, 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._is_over.wait(0.1):
            self.resident = max(self.resident, self.broker.resident_bytes())
            self.kernel = max(self.kernel, kernel_tcp_bytes())

    def __enter__(self) -> "Peaks":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_over.set()
        self._thread.join()


class Spending:
    """The share of a processor that a process took since this was made."""

    def __init__(self, pid: int):
        self.pid, self.before, self.start = pid, processor_seconds(pid), time.monotonic()

    def percent(self) -> float:
        return 100 * (processor_seconds(self.pid) - self.before) / (time.monotonic() - self.start)


def samples(page: str, name: str) -> dict[str, float]:
    """The samples of one metric: what stands in the braces, and the value."""
    found = {}
    for line in page.splitlines():
        head, _, value = line.rpartition(" ")
        bare, _, labels = head.partition("{")
        if bare == name:
            found[labels.rstrip("}")] = float(value)
    return found


def total(page: str, name: str) -> float:
    return sum(samples(page, name).values())
