"""A scanner of TLS servers that needs no TLS library: it writes ClientHellos by hand and reads what is answered."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

SSL3, TLS10, TLS11, TLS12, TLS13 = 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
# Ephemeral elliptic keys and authenticated ciphers, and nothing else (RFC 9325 §4.2; AES-CCM is of the kind, but not asked for).
GOOD_TLS12 = {0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9}
GOOD_TLS13 = {0x1301, 0x1302, 0x1303}
# Not suites: what a client says with a number of theirs, and those of RFC 8701.
SIGNALS = {0x00FF, 0x5600} | {number << 8 | number for number in range(0x0A, 0x100, 0x10)}


@dataclass(frozen=True)
class Answer:
    """What came: a ServerHello's version and suite, an alert's number, or neither when TCP ended."""

    version: int = 0
    suite: int | None = None
    alert: int | None = None
    compression: int = 0


def extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(version: int, suites: list[int], *, compressions: bytes = b"\0", extensions: bytes = b"") -> bytes:
    legacy = min(version, TLS12)
    groups = struct.pack("!4H", 29, 23, 24, 25)
    # Also those that nobody should take: SHA-1, RSA and ECDSA, PSS.
    algorithms = struct.pack("!9H", 0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0401, 0x0501, 0x0201, 0x0203)
    more = extension(10, struct.pack("!H", len(groups)) + groups) + extension(11, b"\1\0")
    more += extension(13, struct.pack("!H", len(algorithms)) + algorithms) + extensions
    if version == TLS13:
        share = struct.pack("!HH", 29, 32) + os.urandom(32)
        more += extension(43, b"\2\3\4") + extension(51, struct.pack("!H", len(share)) + share)
    listed = b"".join(struct.pack("!H", suite) for suite in suites)
    body = struct.pack("!H", legacy) + os.urandom(32) + b"\0" + struct.pack("!H", len(listed)) + listed
    body += bytes([len(compressions)]) + compressions
    if version > SSL3:
        body += struct.pack("!H", len(more)) + more
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16" + struct.pack("!HH", min(version, TLS10), len(message)) + message


def ask(port: int, hello: bytes) -> Answer:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(hello)
        data = b""
        try:
            while len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
                if not (more := connection.recv(65_536)):
                    return Answer()
                data += more
        except ConnectionResetError:
            return Answer()
    if data[0] == 0x15:
        return Answer(alert=data[6])
    assert data[0] == 0x16 and data[5] == 2, data[:20]
    after_random = 5 + 4 + 2 + 32
    at = after_random + 1 + data[after_random]
    version = int.from_bytes(data[9:11], "big")
    chosen = Answer(version, int.from_bytes(data[at:at + 2], "big"), None, data[at + 2])
    at += 3
    extensions_end = at + 2 + int.from_bytes(data[at:at + 2], "big") if len(data) > at + 2 else at
    at += 2
    while at + 4 <= extensions_end:
        kind, size = struct.unpack("!HH", data[at:at + 4])
        if kind == 43:
            version = int.from_bytes(data[at + 4:at + 6], "big")
        at += 4 + size
    return Answer(version, chosen.suite, None, chosen.compression)


def accepted(port: int, version: int, numbers: range = range(0x10000)) -> dict[int, int]:
    """Every suite that is chosen when all are offered for this version, in hellos of seven thousand; with the version that was agreed."""
    found: dict[int, int] = {}
    offered = [number for number in numbers if number not in SIGNALS]
    for start in range(0, len(offered), 7_000):
        rest = offered[start:start + 7_000]
        while rest:
            answer = ask(port, client_hello(version, rest))
            if answer.suite is None:
                break
            found[answer.suite] = answer.version
            rest = [number for number in rest if number != answer.suite]
    return found


def ask_in_ssl2(port: int) -> bool:
    """Whether somebody answers an SSL 2 hello with one."""
    suites = bytes.fromhex("0100800200800300800400800500800600400700c0")
    body = b"\1\0\2" + struct.pack("!HHH", len(suites), 0, 16) + suites + os.urandom(16)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(struct.pack("!H", 0x8000 | len(body)) + body)
        connection.shutdown(socket.SHUT_WR)
        try:
            said = connection.recv(100)
        except ConnectionResetError:
            said = b""
    return len(said) > 2 and said[0] & 0x80 != 0 and said[2] == 4
