"""Starts and ends the servers that `benchmarks/run` compares. Each measurement has a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
NCHAN_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"
DEADLINE = 15
# Each needs the receiver of floor/webhooks.c.
WITH_WEBHOOKS = ("starling-webhooks", "starling-webhooks-batched", "webhooks-floor")
APP = {
    "id": "app-id",
    "key": "app-key",
    "secret": "app-secret",
    "clientEvents": True,
    "limits": {"clientEventsPerSecond": -1, "batchEvents": 100, "presenceMembers": 1_000, "eventDataBytes": 200_000},
}
MOSQUITTO = """per_listener_settings false
allow_anonymous true
# The Debian build counts only plain listeners as a reason to start.
listener {plain} 127.0.0.1
listener {port} 127.0.0.1
protocol websockets
persistence false
max_queued_messages 0
set_tcp_nodelay true
log_type error
"""


def python_with_socketify() -> str | None:
    for python in (os.environ.get("SOCKETIFY_PYTHON"), str(HERE / ".venv/bin/python")):
        if python and os.access(python, os.X_OK):
            if subprocess.run([python, "-c", "import socketify"], capture_output=True, check=False).returncode == 0:
                return python
    return None


class Servers:
    """What can be started, by name; `work` is a directory for their files."""

    def __init__(self, starling: str, static: str | None, work: pathlib.Path, first_port: int):
        self.starling, self.static, self.work, self.first_port = starling, static, work, first_port
        self.external: dict[str, tuple[int, int]] = {}
        self.python = python_with_socketify()
        self.certificate = work / "localhost.pem"
        (work / "config.json").write_text(json.dumps({"apps": [APP], "requestBodyBytes": 1_000_000}))

    def missing(self, name: str) -> str | None:
        """Why a server cannot take part."""
        needs = {
            "floor": shutil.which("cc"),
            "tls-floor": shutil.which("cc"),
            **dict.fromkeys(WITH_WEBHOOKS, shutil.which("cc")),
            "nchan": shutil.which("nginx") and os.path.exists(NCHAN_MODULE),
            "socketify": self.python,
            "mosquitto": shutil.which("mosquitto"),
            "redis": shutil.which("redis-server"),
        }
        return None if needs.get(name, True) else f"{name} is not installed"

    @staticmethod
    def arguments(name: str) -> list[str]:
        """How the load generator speaks to it."""
        return {
            "nchan": ["--raw-subscribe", "/sub/{channel}", "--raw-publish", "/pub/{channel}"],
            "mosquitto": ["--language", "mqtt"],
            "redis": ["--language", "redis"],
            "starling-tls": ["--tls-insecure"],
        }.get(name, [])

    @contextlib.contextmanager
    def run(self, name: str):
        """Gives (port, process number)."""
        if name in self.external:
            yield self.external[name]
            return
        port = self.free_port()
        with open(self.work / f"{name}.log", "w") as log:
            process = subprocess.Popen(self.command(name, port), stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(port, process, self.work / f"{name}.log")
            yield port, self.worker(name, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def free_port(self) -> int:
        """The next port on which nobody listens; each process gets another, so that no old connection is in its way."""
        for port in range(self.first_port, self.first_port + 900):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", port))
                    self.first_port = port + 2
                    return port
        raise SystemExit("no free port")

    def command(self, name: str, port: int) -> list[str]:
        work = self.work
        if name.startswith("starling"):
            binary = self.static if name == "starling-static" else self.starling
            loops = name.removeprefix("starling-") if name.removeprefix("starling-").isdigit() else "1"
            return [
                str(binary),
                "serve",
                "--config",
                str(work / (f"{name}.json" if name in WITH_WEBHOOKS else "config.json")),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--loops",
                loops,
                *(self.tls_arguments() if name == "starling-tls" else []),
            ]
        if name == "tls-floor":
            self.tls_arguments()
            return [str(self.tls_floor()), "serve", str(port), str(self.certificate), str(work / "localhost-key.pem")]
        if name == "floor":
            if not (work / "floor").exists():
                subprocess.run(["cc", "-O2", "-o", work / "floor", HERE / "floor/floor.c"], check=True)
            return [str(work / "floor"), str(port)]
        if name == "nchan":
            text = (HERE / "peers/nchan.conf").read_text()
            (work / "nginx.conf").write_text(text.replace("@PORT@", str(port)).replace("@DIRECTORY@", str(work)))
            return ["nginx", "-p", str(work), "-c", str(work / "nginx.conf")]
        if name == "socketify":
            return [str(self.python), str(HERE / "peers/socketify_peer.py"), str(port)]
        if name == "mosquitto":
            (work / "mosquitto.conf").write_text(MOSQUITTO.format(port=port, plain=port + 1))
            return ["mosquitto", "-c", str(work / "mosquitto.conf")]
        if name == "redis":
            return [
                "redis-server",
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--protected-mode",
                "no",
                "--dir",
                str(work),
                "--maxclients",
                "15000",
                "--client-output-buffer-limit",
                "pubsub 0 0 0",
            ]
        raise SystemExit(f"unknown server {name}")

    def tls_arguments(self) -> list[str]:
        """Makes a certificate, and gives the options that switch TLS on."""
        if not self.certificate.exists():
            subprocess.run([self.starling, "tls", "dev", "--directory", str(self.work)], check=True, stdout=subprocess.DEVNULL)
        return ["--tls-certificate", str(self.certificate), "--tls-key", str(self.work / "localhost-key.pem")]

    def tls_floor(self) -> pathlib.Path:
        """The floor of TLS, and its client."""
        program = self.work / "tls"
        if not program.exists():
            subprocess.run(["cc", "-O2", "-o", program, HERE / "floor/tls.c", "-lssl", "-lcrypto"], check=True)
        return program

    @staticmethod
    def worker(name: str, number: int) -> int:
        """The process that serves: nginx's master only watches it."""
        if name != "nchan":
            return number
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            children = pathlib.Path(f"/proc/{number}/task/{number}/children").read_text().split()
            if children:
                return int(children[0])
            time.sleep(0.01)
        raise SystemExit("nginx has no worker")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(port: int, process: subprocess.Popen, log: pathlib.Path, pause: float = 0.01) -> None:
    deadline = time.monotonic() + DEADLINE
    while not listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{process.args[0]} does not listen on {port}:\n{log.read_text()[-2_000:]}")
        time.sleep(pause)


def processor_seconds(number: int) -> float:
    """What all threads of a process have run."""
    tasks = pathlib.Path(f"/proc/{number}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def stripped_bytes(binary: str, work: pathlib.Path) -> int:
    copy = work / "stripped"
    if not shutil.which("strip") or subprocess.run(["strip", "-o", copy, binary], check=False).returncode:
        return os.path.getsize(binary)
    return copy.stat().st_size


def starts(servers: Servers, name: str, count: int) -> list[dict]:
    """Starts a server so often: milliseconds from exec to the first connection, memory half a second later."""
    binary = str(servers.static if name == "starling-static" else servers.starling)
    size = stripped_bytes(binary, servers.work)
    log = servers.work / "start.log"
    found = []
    for number in range(count):
        port = servers.free_port()
        with open(log, "w") as out:
            begin = time.monotonic()
            process = subprocess.Popen(servers.command(name, port), stdout=out, stderr=subprocess.STDOUT)
            wait_for(port, process, log, pause=0.0002)
            ready = time.monotonic() - begin
        figures = {"ready_milliseconds": round(ready * 1e3, 2), "binary_bytes": size}
        if number < 3:
            time.sleep(0.5)
            memory = dict(
                line.split(":")
                for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
            )
            kib = {key: int(value.split()[0]) for key, value in memory.items()}
            figures["rss_bytes"] = kib["Rss"] * 1024
            # Its own: pages of files are private only as long as nobody else runs the same program.
            figures["anonymous_bytes"] = kib["Anonymous"] * 1024
        process.terminate()
        process.wait(DEADLINE)
        found.append({"valid": True, "figures": figures})
    return found
