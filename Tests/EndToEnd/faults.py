"""System calls of a daemon that fail when a test says so (Tests/Faults/faults.c)."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

from harness import ROOT, Broker

CALLS = ("accept", "receive", "send", "wait", "watch", "change", "open", "socket", "log", "map", "store", "sync")
KNOB = struct.Struct("=iIIIQQ")


@functools.cache
def library() -> pathlib.Path | None:
    """The library, built once a run; nil where there is no compiler for it."""
    swift = shutil.which("swift")
    compilers = [pathlib.Path(os.path.realpath(swift)).parent / "clang"] if swift else []
    compilers += [pathlib.Path(found) for name in ("clang", "cc", "gcc") if (found := shutil.which(name))]
    compiler = next((one for one in compilers if one.exists()), None)
    if compiler is None:
        return None
    made = pathlib.Path(tempfile.mkdtemp(prefix="starling-faults-")) / "faults.so"
    subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made,
                    ROOT / "Tests" / "Faults" / "faults.c", "-ldl"], check=True)
    return made


class Faults:
    """The knobs of one daemon: `with faults.each("send", every=2, code=errno.EAGAIN): …`."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="starling-faults-")
        self.file.truncate(KNOB.size * len(CALLS))
        self.memory = mmap.mmap(self.file.fileno(), KNOB.size * len(CALLS))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(library()), "STARLING_FAULTS": self.file.name}

    def broker(self, config=None, **options) -> Broker:
        return Broker(config, env={**self.environment, **options.pop("env", {})}, **options)

    def set(self, call: str, *, code: int = 0, every: int = 1, bytes: int = 0) -> None:
        at = CALLS.index(call) * KNOB.size
        # `every` last: it is what switches it on.
        struct.pack_into("=i", self.memory, at, code)
        struct.pack_into("=I", self.memory, at + 8, bytes)
        struct.pack_into("=I", self.memory, at + 4, every)

    def clear(self, call: str) -> None:
        struct.pack_into("=I", self.memory, CALLS.index(call) * KNOB.size + 4, 0)

    def hits(self, call: str) -> int:
        return KNOB.unpack_from(self.memory, CALLS.index(call) * KNOB.size)[5]

    @contextlib.contextmanager
    def each(self, call: str, **how):
        self.set(call, **how)
        try:
            yield
        finally:
            self.clear(call)
