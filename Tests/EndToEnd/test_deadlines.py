"""Who dribbles is closed: each of the deadlines, with its line in the log and its metric. All of them wait at once."""

from __future__ import annotations

import re
import socket
import threading
import time

from certificates import Authority
from harness import DEADLINE, Broker, app, wait_until
from logfmt import refusals_told
from metrics_page import scrape
from rawclient import RawClient
from signing import target
from test_tls import ssl_hello

DIRECT = "127.0.0.2"  # the others come from a trusted network, and owe a PROXY header
PATIENCE = 10  # seconds in which each of them must be over, measured on this side
SLACK = 10  # for a machine that is busy


class Dribbler(threading.Thread):
    """Sends a beginning, then the rest byte for byte, for as long as somebody takes it."""

    def __init__(self, broker: Broker, source: str, first: bytes, rest: bytes):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", broker.port), DEADLINE, (source, 0))
        self.first, self.rest, self.received, self.seconds = first, rest, b"", 0.0
        self.own = "%s:%d" % self.socket.getsockname()
        self.start()

    def run(self) -> None:
        began, rest = time.monotonic(), bytearray(self.rest)
        self.socket.settimeout(0.3)
        try:
            if self.first:
                self.socket.sendall(self.first)
            while time.monotonic() < began + PATIENCE + SLACK + 5:
                try:
                    data = self.socket.recv(4_096)
                    if not data:
                        break
                    self.received += data
                except TimeoutError:
                    if rest:
                        self.socket.sendall(bytes([rest.pop(0)]))
        except (ConnectionError, BrokenPipeError):
            pass
        self.seconds = time.monotonic() - began
        self.socket.close()


def test_each_deadline_ends_who_dribbles_with_a_line_and_a_count(tmp_path):
    authority = Authority(tmp_path)
    config = {"tls": authority.leaf("server"), "proxyProtocol": True, "trustProxy": ["127.0.0.1"], "pongTimeoutSeconds": 1,
              "logLevel": "debug", "apps": [app(activityTimeoutSeconds=5)]}
    with Broker(config) as broker, Broker({"connectionsPerAddress": 8, "apps": [app()]}) as counting:
        hello = ssl_hello(authority)
        head = b"GET /ready HTTP/1.1\r\nHost: x\r\n"
        body = b'{"name":"e","channel":"c","data":"d"}'
        signed = target("POST", "/apps/1/events", body, {}, key="app-key", secret="app-secret")
        post = f"POST {signed} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        chunked = f"POST {signed} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        unread = b"\x17\x03\x03\x01\x00" + b"x" * 200
        slow = {
            "head": Dribbler(broker, DIRECT, head[:3], head[3:] + b"X-A: " + b"a" * 200),
            "body": Dribbler(broker, DIRECT, post, body),
            "chunks": Dribbler(broker, DIRECT, chunked, b"25\r\n" + body),
            "TLS hello": Dribbler(broker, DIRECT, hello[:5], hello[5:]),
            "TLS answer": Dribbler(broker, DIRECT, hello, unread),
            "PROXY line": Dribbler(broker, "127.0.0.1", b"PROXY TCP4 192.0.2.1 198", b".51.100.1 4711 443" + b"0" * 60),
            "PROXY block": Dribbler(broker, "127.0.0.1", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x0f\xa0", bytes(400)),
            "PROXY silence": Dribbler(broker, "127.0.0.1", b"", b""),
            "TLS behind PROXY": Dribbler(broker, "127.0.0.1", b"PROXY TCP4 192.0.2.9 198.51.100.1 1 2\r\n" + hello[:5], hello[5:]),
        }
        crowd = [Dribbler(counting, "127.0.0.7", b"", b"") for _ in range(8)]
        wait_until(lambda: scrape(counting)["starling_accepts_total"] == 8, "they are here")
        one_too_many = Dribbler(counting, "127.0.0.7", b"", b"")
        with RawClient(broker, source="127.0.0.3") as silent:
            own = "%s:%d" % silent.socket.getsockname()
            silent.expect_error(4201, timeout=PATIENCE + SLACK)
            wait_until(lambda: re.search(rf"msg=disconnected .*peer={own} .*code=4201", broker.log()), "who sends no pong is logged")
        for name, one in slow.items():
            one.join(PATIENCE + SLACK + 10)
            assert 4 < one.seconds < PATIENCE + SLACK, (name, one.seconds)
        one_too_many.join(PATIENCE + SLACK + 10)
        assert 4 < one_too_many.seconds < PATIENCE + SLACK
        assert all(one.is_alive() for one in crowd), "who is not too many may wait for his request"
        for name in ("head", "body", "chunks"):
            assert slow[name].received.startswith(b"HTTP/1.1 408 "), (name, slow[name].received)
            assert b"not whole after 8 seconds" in slow[name].received
        for kind, words, names in (
                ("http", "code=408", ["head", "body", "chunks"]), ("tls", "cause=timeout", ["TLS hello", "TLS answer"]),
                ("proxy", "cause=timeout", ["PROXY line", "PROXY block", "PROXY silence"])):
            wait_until(lambda: refusals_told(broker.log(), kind) == 3, f"the {kind} ones are told, or counted as the same")
            peers = "|".join(re.escape(slow[name].own) for name in names)
            assert re.search(rf"kind={kind} {words}.*peer=({peers}) ", broker.log()), kind
        assert re.search(r"kind=tls cause=timeout peer=192.0.2.9:1 ", broker.log())
        page, other = scrape(broker), scrape(counting)
        assert page["starling_refusals_total", {"kind": "http", "code": "408"}] == 3
        assert page["starling_tls_handshake_failures_total", {"reason": "timeout"}] == 3
        assert page["starling_proxy_headers_total", {"outcome": "timeout"}] == 3
        assert page["starling_closes_total", {"by": "server", "code": "4201"}] == 1
        assert other["starling_limit_hits_total", {"limit": "connectionsPerAddress"}] == 1
        assert re.search(rf"kind=address .*peer={one_too_many.own} .*address_block=127.0.0.7 ", counting.log())
