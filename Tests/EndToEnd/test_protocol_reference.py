"""Sources/PROTOCOL.md and those who cite it: every number leads somewhere, and what does not is found."""

import pytest

import pw_coverage
from harness import ROOT

REFERENCE = (ROOT / "Sources/PROTOCOL.md").read_text()
SMALL = "## 1 Connecting\n### 1.1 The address\n- PW-001: First.\n- PW-002: Second. [later: webhooks]\n"


def planted(tmp_path, file: str, text: str) -> list[str]:
    """What is found wrong with a tree that has the small reference and one file."""
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for place in pw_coverage.CITING:
        if not place.endswith(".md"):
            (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / "README.md").write_text("")
    return pw_coverage.dangling(tmp_path, pw_coverage.statements(SMALL), pw_coverage.sections(SMALL))


def test_every_citation_in_the_repository_leads_somewhere():
    found = pw_coverage.dangling(ROOT, pw_coverage.statements(REFERENCE), pw_coverage.sections(REFERENCE))
    assert not found, "\n".join(found)


def test_a_statement_and_its_mark_are_read():
    known = pw_coverage.statements(SMALL)
    assert {number: (known[number].line, known[number].text, known[number].later) for number in known} == {
        1: (3, "First.", None), 2: (4, "Second.", "webhooks")}
    assert pw_coverage.sections(SMALL) == {"1", "1.1"}


@pytest.mark.parametrize("lines", ["- PW-001: a\n- PW-003: c\n", "- PW-001: a\n- PW-001: b\n", "- PW-002: b\n"])
def test_a_number_that_is_left_out_or_given_twice_is_an_error(lines):
    with pytest.raises(ValueError, match="belongs"):
        pw_coverage.statements(lines)


@pytest.mark.parametrize("file, text, wrong", [
    # `@` stands for `PW-` and `$` for the section sign, so that this file itself cites nothing.
    ("Sources/Wire/A.swift", "/// Fine (Pusher protocol $1.1, @001…@002).", []),
    ("Sources/Wire/A.swift", "\n/// Not there (@003).", ["Sources/Wire/A.swift:2: PROTOCOL.md has no @003"]),
    ("Sources/Wire/A.swift", "/// (Pusher protocol $1.2)", ["Sources/Wire/A.swift:1: PROTOCOL.md has no $1.2"]),
    ("Sources/Wire/A.swift", "/// (Pusher protocol $1.1, $7.7; RFC 6455 $9.9)", ["Sources/Wire/A.swift:1: PROTOCOL.md has no $7.7"]),
    ("Tests/EndToEnd/test_a.py", "def test_(): 'pw'; '@004'", ["Tests/EndToEnd/test_a.py:1: PROTOCOL.md has no @004"]),
    ("Tests/EndToEnd/test_a.py", '"""PW $1.1-$8"""', ["Tests/EndToEnd/test_a.py:1: PROTOCOL.md has no $8"]),
    ("Sources/Wire/A.swift", "/// Cheap (style $6).", ["Sources/Wire/A.swift:1: style $ is not in the repository"]),
    ("Tests/EndToEnd/test_a.py", '"""(ecosystem $1)"""', ["Tests/EndToEnd/test_a.py:1: ecosystem $ is not in the repository"]),
    ("Tests/EndToEnd/test_a.py", '"""Null is absent (Q13)."""', []),
    ("Sources/Wire/A.swift", "/// Null is absent (Q13).", ["Sources/Wire/A.swift:1: Q13 is not in the repository"]),
    (".github/A.md", "@005", [".github/A.md:1: PROTOCOL.md has no @005"]),
])
def test_a_citation_that_leads_nowhere_is_found(tmp_path, file, text, wrong):
    def spelt(text: str) -> str:
        return text.replace("@", "PW-").replace("$", "§")

    assert planted(tmp_path, file, spelt(text)) == [spelt(line) for line in wrong]


def test_show_prints_a_statement_and_its_tests(capsys):
    assert pw_coverage.main(["--show", "PW-017"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("PW-017: ") and "test_a_ping_written_with_the_request" in shown
    assert pw_coverage.main(["--show", "999"]) == 2
