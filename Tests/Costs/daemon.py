"""The release daemon under callgrind, one turn at a time."""

from __future__ import annotations

import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import time

DEADLINE = 60.0
COMPILER = os.environ.get("CC", "cc")
HERE = pathlib.Path(__file__).resolve().parent


class Daemon:
    """A daemon that takes a turn when it is told to (steady.c). Use as a context manager."""

    def __init__(self, binary: pathlib.Path, config: dict, valgrind_options: tuple = ()):
        self.binary, self.config, self.options = binary.resolve(), config, valgrind_options
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="starling-costs-"))
        self.dumps = 0

    def __enter__(self) -> "Daemon":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        library, file, ready = self.home / "steady.so", self.home / "config.json", self.home / "ready.json"
        subprocess.run([COMPILER, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library,
                        HERE / "steady.c", "-ldl"], check=True)
        # Valgrind 3.19 gives up at the DWARF 5 of the Swift compiler; symbols are enough.
        stripped = self.home / "starling"
        subprocess.run(["strip", "--strip-debug", "-o", stripped, self.binary], check=True)
        file.write_text(json.dumps(self.config))
        commands_in, self.commands = os.pipe()
        self.answers, answers_out = os.pipe()
        command = ["valgrind", "--tool=callgrind", "--quiet", "--vgdb=no", "--dump-line=no", "--compress-pos=no",
                   # Only the loop's thread counts: the main one looks at signals and memory whatever the loop does.
                   "--separate-threads=yes", f"--callgrind-out-file={self.home}/costs", f"--log-file={self.home}/valgrind.log", *self.options,
                   str(stripped), "serve", "--config", str(file), "--ready-file", str(ready)]
        # The page of metrics has a loop of its own, and only one loop can be led; what the loops count for it they count all the same.
        environment = {"STARLING_METRICS_ENABLED": "0", "PATH": os.environ["PATH"], "HOME": str(self.home), "LD_PRELOAD": str(library),
                       "SWIFT_DETERMINISTIC_HASHING": "1", "STEADY_COMMANDS": str(commands_in),
                       "STEADY_ANSWERS": str(answers_out)}
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.home,
                                            pass_fds=(commands_in, answers_out))
        os.close(commands_in)
        os.close(answers_out)
        self._wait_asleep()
        limit = time.monotonic() + DEADLINE
        while not (ready.exists() and ready.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError("the daemon does not listen:\n" + self.log())
            select.select([], [], [], 0.01)
        self.port = json.loads(ready.read_text())["port"]

    def __exit__(self, *_):
        if getattr(self, "process", None):
            self.process.kill()
            self.process.wait()
            os.close(self.commands)
            os.close(self.answers)
        shutil.rmtree(self.home)

    def log(self) -> str:
        files = (self.home / name for name in ("log", "valgrind.log"))
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def _wait_asleep(self) -> None:
        readable, _, _ = select.select([self.answers], [], [], DEADLINE)
        if not readable or os.read(self.answers, 1) != b"s":
            raise RuntimeError("the daemon's loop does not come to its sleep:\n" + self.log())

    def _tell(self, command: bytes) -> None:
        os.write(self.commands, command)
        self._wait_asleep()

    def go(self) -> None:
        """Lets the loop serve what was sent, until it would sleep again."""
        self._tell(b"g")

    def tick(self) -> None:
        """Lets a tenth of a second pass."""
        self._tell(b"t")

    def dump(self) -> pathlib.Path:
        """Where the costs of the loop's thread since the last dump are."""
        self._tell(b"d")
        self.dumps += 1
        [dumped] = self.home.glob(f"costs.{self.dumps}-*")
        return dumped

    def connect(self) -> socket.socket:
        """A connection that has been accepted."""
        made = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.go()
        return made

    def ask(self, connection: socket.socket, data: bytes) -> None:
        """Sends bytes and lets the loop serve them."""
        connection.sendall(data)
        self.go()
