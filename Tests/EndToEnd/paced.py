"""Something that is done all the time, while a test does what must not disturb it."""

from __future__ import annotations

import threading
import time
from typing import Callable

from session import DEADLINE, Closed


class Paced:
    """Calls `act(number)` at a rate, of several threads together; `number` is the thread's. Use as a context manager.

    `done` has what it gave, each with the time at which it was begun; `faults` what it raised. Who falls behind catches up, but not with
    more than a second's calls.
    """

    def __init__(self, act: Callable[[int], object], per_second: float, threads: int = 8):
        self.act, self.pause, self.done, self.faults = act, threads / per_second, [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(threads)]

    def __enter__(self) -> "Paced":
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(DEADLINE * 3)
        self.rate = len(self.done) / (time.monotonic() - self.began)

    def run(self, number: int) -> None:
        due = time.monotonic()
        while not self.over.is_set():
            begun = time.monotonic()
            try:
                self.done.append((begun, self.act(number)))
            except (OSError, EOFError, AssertionError, Closed) as fault:  # a TimeoutError and TLS's errors are OSErrors
                self.faults.append(repr(fault))
            due = max(due + self.pause, time.monotonic() - 1)
            self.over.wait(max(0.0, due - time.monotonic()))
