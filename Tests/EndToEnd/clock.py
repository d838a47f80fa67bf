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
    int file = open(getenv("STARLING_TEST_CLOCK"), O_RDONLY);
    shared = mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || shared == MAP_FAILED) abort();
    close(file);
}
int clock_gettime(clockid_t id, struct timespec *t) {
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) { t->tv_sec = *shared; t->tv_nsec = 0; return 0; }
    return (int)syscall(SYS_clock_gettime, id, t);
}
int gettimeofday(struct timeval *t, void *z) { (void)z; t->tv_sec = *shared; t->tv_usec = 0; return 0; }
time_t time(time_t *t) { time_t now = *shared; if (t) *t = now; return now; }
"""


class Clock:
    """Stands still at `seconds` (Unix time) until it is set."""

    def __init__(self, directory: pathlib.Path, seconds: int):
        compiler = shutil.which("cc") or shutil.which("clang")
        assert compiler, "a C compiler is needed to set the broker's clock (swift builds need one as well)"
        shim, file = directory / "clock.so", directory / "now"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), "-x", "c", "-"], input=SHIM.encode(), check=True)
        file.write_bytes(bytes(8))
        with open(file, "r+b") as opened:
            self.map = mmap.mmap(opened.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(shim), "STARLING_TEST_CLOCK": str(file)}
        self.set(seconds)

    def set(self, seconds: int) -> None:
        self.map[:] = struct.pack("=q", seconds)
        self.now = seconds
