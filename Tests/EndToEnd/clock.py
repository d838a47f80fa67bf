"""A wall clock that a test sets, for a broker that is started with its `environment`."""

from __future__ import annotations

import mmap
import pathlib
import shutil
import struct
import subprocess

# The time stands in a file that both processes map, so that a new time holds for the very next look at the clock.
SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long *shared;
__attribute__((constructor)) static void map(void) {
    int file = open(getenv("STARLING_TEST_CLOCK"), O_RDWR);
    shared = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || shared == MAP_FAILED) abort();
    close(file);
}
static time_t look(void) { return __atomic_fetch_add(&shared[0], shared[1], __ATOMIC_RELAXED); }
int clock_gettime(clockid_t id, struct timespec *t) {
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) { t->tv_sec = look(); t->tv_nsec = 0; return 0; }
    return (int)syscall(SYS_clock_gettime, id, t);
}
int gettimeofday(struct timeval *t, void *z) { (void)z; t->tv_sec = look(); t->tv_usec = 0; return 0; }
time_t time(time_t *t) { time_t now = look(); if (t) *t = now; return now; }
"""


class Clock:
    """Stands still at `seconds` (Unix time) until it is set, or goes on by `step` whenever somebody looks at it."""

    def __init__(self, directory: pathlib.Path, seconds: int, *, step: int = 0):
        compiler = shutil.which("cc") or shutil.which("clang")
        assert compiler, "a C compiler is needed to set the broker's clock (swift builds need one as well)"
        shim, file = directory / "clock.so", directory / "now"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), "-x", "c", "-"], input=SHIM.encode(), check=True)
        file.write_bytes(struct.pack("=qq", seconds, step))
        with open(file, "r+b") as opened:
            self.map = mmap.mmap(opened.fileno(), 16)
        self.environment = {"LD_PRELOAD": str(shim), "STARLING_TEST_CLOCK": str(file)}
        self.now = seconds

    def set(self, seconds: int) -> None:
        self.map[:8] = struct.pack("=q", seconds)
        self.now = seconds
