"""A control group of memory for a daemon, where this machine lets us make one (root; cgroup v1, or v2 with the memory controller)."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import tempfile

import harness


class MemoryGroup:
    """`with MemoryGroup(512 << 20) as group, group.broker(…) as broker: …`; `None` from `MemoryGroup.make` where there is none."""

    def __init__(self, folder: pathlib.Path, is_old: bool):
        self.folder, self.is_old = folder, is_old

    @classmethod
    def make(cls, limit_bytes: int) -> "MemoryGroup | None":
        root = pathlib.Path("/sys/fs/cgroup")
        for parent, is_old in ((root / "memory", True), (root, False)):
            folder = parent / f"starling-test-{os.getpid()}"
            try:
                if not is_old and "memory" not in (root / "cgroup.subtree_control").read_text().split():
                    continue
                folder.mkdir()
            except OSError:
                continue
            group = cls(folder, is_old)
            try:
                (folder / ("memory.limit_in_bytes" if is_old else "memory.max")).write_text(str(limit_bytes))
                with contextlib.suppress(OSError):
                    (folder / ("memory.swappiness" if is_old else "memory.swap.max")).write_text("0")
                return group
            except OSError:
                group.remove()
        return None

    def remove(self) -> None:
        self.folder.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.wait_until(lambda: not (self.folder / "cgroup.procs").read_text(), "the group is empty")
        self.remove()

    @contextlib.contextmanager
    def broker(self, *arguments, **options):
        """A broker that is in the group from its first instruction on."""
        with tempfile.TemporaryDirectory() as home:
            script = pathlib.Path(home) / "starling"
            binary = pathlib.Path(harness.BINARY).resolve()
            script.write_text(f'#!/bin/sh\necho $$ >{self.folder}/cgroup.procs\nexec {binary} "$@"\n')
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
            before, harness.BINARY = harness.BINARY, str(script)
            try:
                broker = harness.Broker(*arguments, **options).start()
            finally:
                harness.BINARY = before
            try:
                yield broker
            finally:
                broker.__exit__(AssertionError, None, None)

    def _number(self, name: str, key: str) -> int:
        for line in (self.folder / name).read_text().splitlines():
            if line.startswith(key + " "):
                return int(line.split()[1])
        return 0

    @property
    def kills(self) -> int:
        """Processes that the kernel ended for want of memory."""
        return self._number(*(("memory.oom_control", "oom_kill") if self.is_old else ("memory.events", "oom_kill")))

    @property
    def peak_bytes(self) -> int:
        return int((self.folder / ("memory.max_usage_in_bytes" if self.is_old else "memory.peak")).read_text())
