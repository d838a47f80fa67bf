#!/usr/bin/env python3
"""How large the types of the house are: stored properties, files, lines.

    Tests/EndToEnd/house.py          the largest types, and what the sources hold in all

A type with more than 12 stored properties, or in more than 3 files, says why in the comment above its declaration:
"Large, because …". test_house.py asks for it.
"""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("Sources", "benchmarks/LoadGenerator")
PROPERTIES_MAX, FILES_MAX = 12, 3
REASON = "Large, because"

MODIFIER = r"(?:(?:public|private|internal|fileprivate|final|indirect|package|unowned|weak|lazy)(?:\((?:set|unsafe)\))?\s+)*"
ATTRIBUTE = r"(?:@\w+(?:\([^)]*\))?\s+)*"
TYPE = re.compile(rf"\s*{ATTRIBUTE}{MODIFIER}(struct|class|enum|extension)\s+([A-Za-z_][\w.]*)")
STORED = re.compile(rf"\s*{ATTRIBUTE}{MODIFIER}(?:nonisolated\(unsafe\)\s+)?(let|var)\s+(\w+|\([\w, ]+\))(.*)")


@dataclass
class SwiftType:
    stored: int = 0
    files: set[str] = field(default_factory=set)
    lines: int = 0
    comment: str = ""


def code(line: str) -> str:
    """A line without its strings and comment."""
    return re.sub(r"//.*", "", re.sub(r'"(\\.|[^"\\])*"', '""', line))


def stored_in(line: str) -> int:
    """Stored properties that a line of a type's body declares."""
    found = STORED.match(line)
    if not found:
        return 0
    keyword, names, rest = found.groups()
    before_brace, brace, _ = rest.partition("{")
    observed = re.search(r"\{\s*(didSet|willSet)", rest)
    if keyword == "var" and brace and "=" not in before_brace and not observed:
        return 0
    return names.count(",") + 1


def read_types(texts: dict[str, str]) -> dict[str, SwiftType]:
    """The types of some Swift files, by their full names; what stands in an extension counts for its type."""
    types: dict[str, SwiftType] = {}
    for path, text in texts.items():
        depth, stack, comment = 0, [], []
        for raw in text.split("\n"):
            line = code(raw)
            declares = TYPE.match(line)
            if declares and "{" in line:
                kind, name = declares.groups()
                if kind != "extension" and stack:
                    name = f"{stack[-1][0]}.{name}"
                stack.append((name, depth, kind))
                one = types.setdefault(name, SwiftType())
                one.files.add(path)
                if kind != "extension":
                    one.comment = " ".join(comment)
            elif stack and depth == stack[-1][1] + 1 and stack[-1][2] in ("struct", "class"):
                types[stack[-1][0]].stored += stored_in(line)
            if stack:
                types[stack[-1][0]].lines += 1
            depth += line.count("{") - line.count("}")
            while stack and depth <= stack[-1][1]:
                stack.pop()
            if raw.strip().startswith("///"):
                comment.append(raw.strip("/ "))
            elif not raw.strip().startswith("@"):
                comment = []
    return types


def sources() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): path.read_text()
            for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.swift"))}


def is_large(one: SwiftType) -> bool:
    # An extension of somebody else's type owns no state.
    return one.stored > PROPERTIES_MAX or len(one.files) > FILES_MAX and one.stored > 0


def main() -> None:
    texts = sources()
    types = read_types(texts)
    for name, one in sorted(types.items(), key=lambda item: (-len(item[1].files), -item[1].stored)):
        if is_large(one):
            print(f"{name:20} {one.stored:3} stored properties  {len(one.files):3} files  {one.lines:5} lines")
    whole = "".join(texts.values())
    print(f"{len(texts)} files, {len(types)} types, {whole.count(chr(10))} lines, {whole.count('.pointee')} times .pointee")


if __name__ == "__main__":
    main()
