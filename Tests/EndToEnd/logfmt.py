"""A strict reader of the broker's log lines, written from the grammar in the README."""

from __future__ import annotations

import re

_PAIR = re.compile(r'([a-z_]+)=(?:([\x21\x23-\x3c\x3e-\x5b\x5d-\x7e]+)|"((?:[^"\\\x00-\x1f\x7f-\x9f]|\\["\\nrt]|\\u[0-9a-f]{4})*)")')
_ESCAPE = re.compile(r'\\(["\\nrt]|u[0-9a-f]{4})')
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def logfmt(line: str) -> dict[str, str]:
    """The pairs of one line; AssertionError when it is not logfmt, or a key comes twice."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(line) or not pairs:
        found = _PAIR.match(line, at)
        assert found, f"no key=value at {line[at:at + 40]!r} of {line!r}"
        key, word, quoted = found.groups()
        assert key not in pairs, f"{key} twice: {line!r}"
        pairs[key] = word if word is not None else _ESCAPE.sub(_unescaped, quoted)
        at = found.end()
        if at < len(line):
            assert line[at] == " " and at + 1 < len(line), f"no single space at {at} of {line!r}"
            at += 1
    assert list(pairs)[:3] == ["time", "level", "msg"], line
    return pairs


def _unescaped(found: re.Match) -> str:
    escape = found[1]
    return chr(int(escape[1:], 16)) if escape[0] == "u" else _PLAIN[escape]


def lines(text: str) -> list[dict[str, str]]:
    """Every line of a log."""
    assert text == "" or text.endswith("\n"), text[-200:]
    return [logfmt(line) for line in text.split("\n")[:-1]]


def refusals_told(text: str, kind: str) -> int:
    """How many refusals of a kind the log tells of: with a line of their own, or as left out because they were the same."""
    told = [line for line in lines(text) if line["msg"] == "refused" and line["kind"] == kind]
    return sum(("reason" in line) + int(line.get("suppressed", 0)) for line in told)
