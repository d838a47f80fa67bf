#!/usr/bin/env python3
"""A process of its own that connects again and again, as a client that does nothing wrong.

    prober.py PORT SECONDS PAUSE [CA]      with a CA over TLS

Ends after SECONDS, or when its standard input does, and prints one line of JSON: how long each attempt took from connect() to
`pusher:connection_established`, and what went wrong with the others. The tests start it through `Prober`.
"""

from __future__ import annotations

import json
import pathlib
import select
import socket
import ssl
import subprocess
import sys
import time

REQUEST = (b"GET /app/app-key?protocol=7&client=prober&version=1.0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def attempt(port: int, context: ssl.SSLContext | None) -> float:
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        client = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
        client.sendall(REQUEST)
        received = b""
        while b"connection_established" not in received:
            if not (data := client.recv(4_096)):
                raise ConnectionError(f"closed after {received[:60]!r}")
            received += data
        took = time.monotonic() - start
        client.close()
    return took


def main(port: int, seconds: float, pause: float, ca: str = "") -> None:
    context = ssl.create_default_context(cafile=ca) if ca else None
    took, faults, start = [], [], time.monotonic()
    while (now := time.monotonic()) - start < seconds:
        if select.select([sys.stdin], [], [], 0)[0]:
            break
        try:
            took.append(attempt(port, context))
        except OSError as error:
            faults.append(repr(error))
        if (left := now + pause - time.monotonic()) > 0:
            select.select([sys.stdin], [], [], left)
    print(json.dumps({"took": took, "faults": faults, "seconds": time.monotonic() - start}))


class Prober:
    """Runs for as long as a `with` lasts; then `took`, `faults` and `rate` say how it went."""

    def __init__(self, port: int, *, pause: float = 0.02, ca: str = ""):
        self.command = [sys.executable, str(pathlib.Path(__file__)), str(port), "3600", str(pause), *([ca] if ca else [])]

    def __enter__(self) -> "Prober":
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_) -> None:
        said = json.loads(self.process.communicate(timeout=60)[0])
        self.took, self.faults = said["took"], said["faults"]
        self.rate = len(self.took) / said["seconds"]


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
