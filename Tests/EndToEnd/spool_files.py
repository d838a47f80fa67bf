#!/usr/bin/env python3
"""Reads the files of a webhook spool, whatever has happened to them: a second reader, written from the format's text (SpoolFormat.swift).

    Tests/EndToEnd/spool_files.py DIRECTORY…      what is waiting, the dead letters and the next number, a line each

`Spool(directory)` is the same for tests: `waiting`, `letters`, `next_number`, `damage`; `segments(directory)` are the files in their order.
"""

from __future__ import annotations

import pathlib
import struct
import sys
from dataclasses import dataclass, field

MAGIC = b"\x89SPOOL\r\n"
RECORD = b"\xffSR\xfe"
VERSION = 1
HEADER_BYTES, RECORD_BYTES, BODY_MAX = 32, 16, 4 << 20
NUMBER_MAX, SEGMENT_MAX, MILLISECONDS_MAX = (1 << 62) - 1, (1 << 48) - 1, 1 << 53
CURSORS_MAX, KINDS = 65_536, 11


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True, order=True)
class EventID:
    number: int
    run: int

    def __str__(self) -> str:
        return f"{self.run:016x}-{self.number:x}"


@dataclass(frozen=True)
class Event:
    id: EventID
    milliseconds: int
    kind: int
    app: str
    channel: bytes
    json: bytes

    def __str__(self) -> str:
        return f"{self.id} {self.milliseconds} {self.kind} {self.app.encode().hex()}|{self.channel.hex()}|{self.json.hex()}"


@dataclass(frozen=True)
class Letter:
    event: Event
    endpoint: int
    milliseconds: int
    reason: str

    def __str__(self) -> str:
        return f"letter {self.endpoint:x} {self.milliseconds} {self.reason.encode().hex()} {self.event}"


class Unknown(Exception):
    """A record that is whole, and that this version cannot read."""


@dataclass
class Fields:
    data: bytes
    place: int = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.place:
            raise Unknown
        self.place += count
        return self.data[self.place - count:self.place]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def checked(self, size: int, low: int, high: int) -> int:
        number = self.number(size)
        if not low <= number <= high:
            raise Unknown
        return number

    def text(self) -> str:
        try:
            return self.take(self.number(2)).decode()
        except UnicodeDecodeError:
            raise Unknown from None

    def event_id(self) -> EventID:
        run = self.number(8)
        return EventID(self.checked(8, 1, NUMBER_MAX), run)

    def event(self) -> Event:
        id, milliseconds, kind = self.event_id(), self.checked(8, 0, MILLISECONDS_MAX), self.checked(1, 0, KINDS - 1)
        return Event(id, milliseconds, kind, self.text(), self.take(self.number(2)), self.take(self.number(4)))

    def end(self) -> None:
        if self.place != len(self.data):
            raise Unknown


@dataclass
class Spool:
    """What the files of a directory say; `sources`: (name, bytes) instead of a directory."""
    directory: str | pathlib.Path | None = None
    sources: list[tuple[str, bytes]] | None = None
    next_number: int = 1
    damage: list[tuple[str, int, int]] = field(default_factory=list)
    events: dict[EventID, tuple[Event, set[int]]] = field(default_factory=dict)
    cursors: dict[int, int] = field(default_factory=dict)
    buried: dict[tuple[int, EventID], Letter | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sources = self.sources if self.directory is None else [
            (path.name, path.read_bytes()) for path in segments(self.directory)]
        for number, name, start, data in sorted(filter(None, (self._begin(*one) for one in sources or []))):
            self._read(number, name, start, data)

    @property
    def waiting(self) -> list[tuple[Event, list[int]]]:
        """By number, each with the endpoints that still want it."""
        result = []
        for id, (event, endpoints) in sorted(self.events.items()):
            left = [one for one in sorted(endpoints) if self.cursors.get(one, 0) < id.number and (one, id) not in self.buried]
            if left:
                result.append((event, left))
        return result

    @property
    def letters(self) -> list[Letter]:
        there = [letter for letter in self.buried.values() if letter]
        return sorted(there, key=lambda one: (one.milliseconds, one.event.id, one.endpoint))

    def _begin(self, name: str, data: bytes):
        """Number, name and where the records begin; None: of another version."""
        head = data[:HEADER_BYTES]
        if len(head) == HEADER_BYTES and head.startswith(MAGIC) and crc32c(head[:28]) == int.from_bytes(head[28:], "little"):
            version, number = int.from_bytes(head[8:12], "little"), int.from_bytes(head[16:24], "little")
            if version != VERSION:
                return None
            if 0 < number <= SEGMENT_MAX:
                return number, name, HEADER_BYTES, data
        return int(name[:16], 16), name, 0, data

    def _read(self, segment: int, name: str, place: int, data: bytes) -> None:
        lost = None
        while place < len(data):
            length = self._record(segment, data, place)
            if length is None:
                lost = place if lost is None else lost
                place = data.find(RECORD[:1], place + 1)
                place = len(data) if place < 0 else place
                continue
            if lost is not None:
                self.damage.append((name, lost, place - lost))
                lost = None
            try:
                self._take(data[place + 4], Fields(data[place + RECORD_BYTES:place + RECORD_BYTES + length]))
            except Unknown:
                self.damage.append((name, place, RECORD_BYTES + length))
            place += RECORD_BYTES + length
        if lost is not None:
            self.damage.append((name, lost, len(data) - lost))

    @staticmethod
    def _record(segment: int, data: bytes, place: int) -> int | None:
        """The length of the body; None: no record begins there."""
        head = data[place:place + RECORD_BYTES]
        if len(head) < RECORD_BYTES or not head.startswith(RECORD):
            return None
        length = int.from_bytes(head[5:8], "little")
        if length > BODY_MAX or crc32c(head[4:8] + struct.pack("<Q", segment)) != int.from_bytes(head[8:12], "little"):
            return None
        body = data[place + RECORD_BYTES:place + RECORD_BYTES + length]
        if len(body) < length or crc32c(head[4:12] + body) != int.from_bytes(head[12:16], "little"):
            return None
        return length

    def _take(self, kind: int, fields: Fields) -> None:
        """All of a record or, when it raises, nothing of it."""
        if kind == 1:
            number, count = fields.checked(8, 1, NUMBER_MAX + 1), fields.checked(4, 0, CURSORS_MAX)
            cursors = [(fields.number(8), fields.checked(8, 1, NUMBER_MAX)) for _ in range(count)]
            fields.end()
            self.next_number = max(self.next_number, number)
            for endpoint, through in cursors:
                self._finish(endpoint, through)
        elif kind == 2:
            event, count = fields.event(), fields.checked(2, 1, 65_535)
            endpoints = [fields.number(8) for _ in range(count)]
            fields.end()
            self.events.setdefault(event.id, (event, set()))[1].update(endpoints)
            self.next_number = max(self.next_number, event.id.number + 1)
        elif kind == 3:
            endpoint, through = fields.number(8), fields.checked(8, 1, NUMBER_MAX)
            fields.end()
            self._finish(endpoint, through)
        elif kind == 4:
            endpoint, milliseconds, reason = fields.number(8), fields.checked(8, 0, MILLISECONDS_MAX), fields.text()
            event = fields.event()
            fields.end()
            self.buried[endpoint, event.id] = Letter(event, endpoint, milliseconds, reason)
            self.next_number = max(self.next_number, event.id.number + 1)
        elif kind == 5:
            endpoint, id = fields.number(8), fields.event_id()
            fields.end()
            self.buried[endpoint, id] = None
        else:
            raise Unknown

    def _finish(self, endpoint: int, through: int) -> None:
        self.cursors[endpoint] = max(self.cursors.get(endpoint, 0), through)
        self.next_number = max(self.next_number, through + 1)


def segments(directory: str | pathlib.Path) -> list[pathlib.Path]:
    """The spool's files, oldest first."""
    def is_segment(name: str) -> bool:
        digits = name.removesuffix(".spool")
        return (name.endswith(".spool") and len(digits) == 16 and set(digits) <= set("0123456789abcdef")
                and 0 < int(digits, 16) <= SEGMENT_MAX)
    return sorted(path for path in pathlib.Path(directory).iterdir() if is_segment(path.name))


def main() -> None:
    for directory in sys.argv[1:]:
        spool = Spool(directory)
        print("#", directory)
        for event, endpoints in spool.waiting:
            print("event", ",".join(f"{one:x}" for one in endpoints), event)
        for letter in spool.letters:
            print(letter)
        print("next", spool.next_number)


if __name__ == "__main__":
    main()
