"""The house stays small: who is large says why."""

from __future__ import annotations

import pytest

import house


def test_a_large_type_says_why():
    types = house.read_types(house.sources())
    assert len(types) > 200 and types["LoopBroker"].stored > 5 and len(types["EventLoop"].files) > 1
    silent = [f"{name}: {one.stored} stored properties, {len(one.files)} files"
              for name, one in types.items() if house.is_large(one) and house.REASON not in one.comment]
    assert not silent, "\n".join(silent)


def test_who_is_small_gives_no_reason_for_being_large():
    types = house.read_types(house.sources())
    assert not [name for name, one in types.items() if house.REASON in one.comment and not house.is_large(one)]


@pytest.mark.parametrize(("line", "count"), [
    ("let a: Int", 1), ("private(set) var a = 0", 1), ("var a: Int { 1 }", 0), ("var a = 1 { didSet { b() } }", 1),
    ("var (a, b) = (1, 2)", 2), ("public let c: [Int]", 1), ("static let d = 1", 0), ("func e(let: Int) {", 0),
    ("@usableFromInline var f: [UInt8] = []", 1), ("var g: Int {", 0), ("nonisolated(unsafe) var h: Int", 1),
    ("let i = { 1 }()", 1), ("case j", 0), ("unowned(unsafe) let k: App", 1),
])
def test_what_counts_as_stored(line, count):
    assert house.stored_in(line) == count


def test_extensions_and_nested_types():
    types = house.read_types({
        "A.swift": "/// First.\n///\n/// Large, because so.\nstruct A {\n    let a: Int\n    enum B {\n        case b\n    }\n"
                   "    struct C { let x: Int }\n}\n",
        "B.swift": "extension A {\n    var b: Int { a }\n}\n"})
    assert (types["A"].stored, len(types["A"].files)) == (1, 2) and house.REASON in types["A"].comment
    assert "A.B" in types and types["A.B"].stored == 0
