"""Webhooks in `benchmarks/run`: who receives them, what it costs to send them, and the floor of that."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import subprocess
import time

import servers as server_tools

HERE = pathlib.Path(__file__).resolve().parent
# What of a request's events goes with one another.
BATCHING = {
    "starling-webhooks": {},
    "starling-webhooks-batched": {"batchMilliseconds": 20, "batchEvents": 100},
}
FLOORS = {"webhooks-floor": "starling-webhooks"}
FLOOR_REQUESTS = 20_000


def program(work: pathlib.Path) -> pathlib.Path:
    made = work / "webhooks"
    if not made.exists():
        subprocess.run(["cc", "-O2", "-o", made, HERE / "floor/webhooks.c"], check=True)
    return made


def sample(work: pathlib.Path, server: str) -> pathlib.Path:
    """A request of that server, as it came."""
    return work / f"{server}.request"


class Receiver:
    """The bare receiver that takes the webhooks of one server."""

    def __init__(self, port: int):
        self.port = port

    def counts(self) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            return json.loads(connection.getresponse().read())

    def rest(self) -> dict:
        """The counts when they have not changed for half a second."""
        last, deadline = self.counts(), time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.counts()
            if now == last:
                break
            last = now
        return last

    def figures(self, process: int) -> dict:
        """What all webhooks of a process cost it: those of its threads that serve no clients."""
        told = self.rest()
        spent = thread_seconds(process, "webhook")
        if not told["events"] or not spent:
            return {}
        return {
            "webhooks": told["events"],
            "webhook_requests": told["requests"],
            "webhooks_per_cpu_second": told["events"] / spent,
        }


def thread_seconds(process: int, name: str) -> float:
    """What the threads have run whose names begin so."""
    spent = 0
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        if (task / "comm").read_text().startswith(name):
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


@contextlib.contextmanager
def receiving(tools: server_tools.Servers, server: str):
    """A receiver for `server`, whose settings then name it; None for servers that tell nobody."""
    if server not in BATCHING and server not in FLOORS:
        yield None
        return
    port = tools.free_port()
    log = tools.work / "receiver.log"
    kept = sample(tools.work, server)
    with open(log, "w") as out:
        process = subprocess.Popen([program(tools.work), "take", str(port), kept], stdout=out, stderr=subprocess.STDOUT)
    try:
        server_tools.wait_for(port, process, log)
        if server in BATCHING:
            target = {"url": f"http://127.0.0.1:{port}/", "events": ["client_event"], "allowPrivate": True, **BATCHING[server]}
            settings = {"apps": [{**server_tools.APP, "webhooks": [target]}]}
            (tools.work / f"{server}.json").write_text(json.dumps(settings))
        yield Receiver(port)
    finally:
        process.kill()
        process.wait()


def floor(tools: server_tools.Servers, server: str, receiver: Receiver) -> dict:
    """A client loop that posts what the server of that name has sent; gives the same as a report of the generator."""
    request = sample(tools.work, FLOORS[server])
    if not request.exists():
        return {"valid": False, "invalid": [f"{FLOORS[server]} has sent nothing yet"], "figures": {}}
    command = [program(tools.work), "post", str(receiver.port), request, str(FLOOR_REQUESTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        return {"valid": False, "invalid": [done.stderr.strip()], "figures": {}}
    told = json.loads(done.stdout)
    return {"valid": True, "figures": {"webhooks_per_cpu_second": told["events"] / told["cpu_seconds"]}}
