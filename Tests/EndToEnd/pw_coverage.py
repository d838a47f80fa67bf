"""Sources/PROTOCOL.md beside the tests: which statements no test names, and which names lead nowhere.

    pw_coverage.py                   the statements without a test, and the citations that PROTOCOL.md does not have
    pw_coverage.py --files           every statement with the files that name it
    pw_coverage.py --show PW-042     one statement and its tests; several may be given

A Python test names a statement in its function's name or docstring (`PW-042`, or `test_pw_042_…`); a Swift test, or one in another
language, anywhere in its text. A statement that is marked `[later: …]` needs no test yet. Ends with 1 when another has none, when the
numbers have a gap, or when a comment cites a `PW-…` or a `Pusher protocol §…` that does not exist."""

import ast
import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CITING = ("Sources", "Tests", "benchmarks", "README.md", ".github")
TESTS_OF_OTHER_LANGUAGES = (".swift", ".js", ".mjs", ".ts", ".php", ".rb")
READ = (*TESTS_OF_OTHER_LANGUAGES, ".py", ".md", ".c", ".h")

NAME = re.compile(r"\bPW-(\d{3})\b|(?<![A-Za-z0-9])pw_(\d{3})(?!\d)", re.IGNORECASE)
STATEMENT = re.compile(r"- PW-(\d+): (.+?)(?: \[later: ([^]]+)\])?")
HEADING = re.compile(r"#{2,3} (\d+(?:\.\d+)?) ")
CITATION = re.compile(r"\b(?:Pusher protocol|PW|reference) (§\d[\d.]*(?:(?:[-–…]|, | and )§\d[\d.]*)*)")

# Papers that a clone does not have: a comment says the reason instead. The library quirks of PROTOCOL.md are named by tests only.
PAPER = re.compile(r"\b(?:swift-performance|ecosystem|cluster-design|tls-facts|style|architecture) §|\breliability[ ]goals?\b")
QUIRK = re.compile(r"\bQ\d{1,2}\b")


@dataclasses.dataclass
class Statement:
    line: int
    text: str
    later: str | None


@dataclasses.dataclass(order=True)
class Place:
    """Where a test names a statement: `what` is the test, or the line."""
    file: str
    line: int
    what: str


def statements(reference: str) -> dict[int, Statement]:
    """By number. Raises for a number that is given twice or left out."""
    found: dict[int, Statement] = {}
    for line, text in enumerate(reference.splitlines(), 1):
        if match := STATEMENT.fullmatch(text):
            number = int(match[1])
            if number != len(found) + 1:
                raise ValueError(f"PROTOCOL.md:{line}: PW-{number:03} stands where PW-{len(found) + 1:03} belongs")
            found[number] = Statement(line, match[2], match[3])
    return found


def sections(reference: str) -> set[str]:
    return {match[1] for line in reference.splitlines() if (match := HEADING.match(line))}


def numbers(text: str) -> set[int]:
    return {int(first or second) for first, second in NAME.findall(text)}


def named_by_python(text: str, file: str) -> list[tuple[int, Place]]:
    found = []
    for node in ast.walk(ast.parse(text, file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            named = numbers(node.name.replace("test_", " ")) | numbers(ast.get_docstring(node) or "")
            found += [(number, Place(file, node.lineno, node.name)) for number in named]
    return found


def named_by_lines(text: str, file: str) -> list[tuple[int, Place]]:
    return [(number, Place(file, at, line.strip()))
            for at, line in enumerate(text.splitlines(), 1) for number in numbers(line)]


def texts(root: pathlib.Path, places=CITING):
    """Path from the root and text of every source file."""
    for place in places:
        start = root / place
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            inside = file.relative_to(root)
            hidden = any(part.startswith(".") or part == "node_modules" for part in inside.parts[1:])
            if not hidden and file.suffix in READ and file.is_file():
                yield str(inside), file.read_text(errors="replace")


def tests(root: pathlib.Path = ROOT) -> dict[int, list[Place]]:
    """Statement → the tests that name it."""
    found: dict[int, list[Place]] = {}
    for file, text in texts(root, ("Tests",)):
        if file.endswith(".py"):
            named = named_by_python(text, file) if pathlib.Path(file).name.startswith("test_") else []
        else:
            named = named_by_lines(text, file) if file.endswith(TESTS_OF_OTHER_LANGUAGES) else []
        for number, place in named:
            found.setdefault(number, []).append(place)
    return {number: sorted(places) for number, places in found.items()}


def dangling(root: pathlib.Path, known: dict[int, Statement], headings: set[str]) -> list[str]:
    """Citations of statements and sections that are not there."""
    found = []
    for file, text in texts(root):
        for at, line in enumerate(text.splitlines(), 1):
            names = [f"PW-{number:03}" for number in sorted(numbers(line) - known.keys())]
            for cited in CITATION.findall(line):
                names += [f"§{section}" for section in re.findall(r"§(\d+(?:\.\d+)?)", cited) if section not in headings]
            found += [f"{file}:{at}: PROTOCOL.md has no {name}" for name in names]
            paper = PAPER.search(line) or (QUIRK.search(line) if file.startswith("Sources/") else None)
            if paper and not file.endswith(".md"):
                found.append(f"{file}:{at}: {paper[0]} is not in the repository")
    return found


def show(known: dict[int, Statement], wanted: list[str]) -> int:
    found = tests()
    for word in wanted:
        number = next(iter(numbers(word)), int(word) if word.isdecimal() else 0)
        if number not in known:
            print(f"{word}: PROTOCOL.md has no such statement (PW-001…PW-{len(known):03})", file=sys.stderr)
            return 2
        statement = known[number]
        print(f"PW-{number:03}: {statement.text}" + (f" (later: {statement.later})" if statement.later else ""))
        print(f"    Sources/PROTOCOL.md:{statement.line}")
        for place in found.get(number, []):
            print(f"    {place.file}:{place.line}: {place.what[:120]}")
    return 0


def main(arguments: list[str]) -> int:
    reference = (ROOT / "Sources/PROTOCOL.md").read_text()
    known = statements(reference)
    if arguments[:1] == ["--show"] and len(arguments) > 1:
        return show(known, arguments[1:])
    if arguments not in ([], ["--files"]):
        print(__doc__, file=sys.stderr)
        return 2
    found = tests()
    if arguments:
        for number in known:
            print(f"PW-{number:03} {' '.join(dict.fromkeys(place.file for place in found.get(number, [])))}")
    missing = [number for number in known if number not in found]
    for number in missing:
        later = known[number].later
        print(f"PW-{number:03} has no test" + (f" (later: {later})" if later else ""))
    astray = dangling(ROOT, known, sections(reference))
    print(*astray, sep="\n", end="\n" if astray else "")
    wrong = [number for number in missing if not known[number].later]
    print(f"{len(known) - len(missing)} of {len(known)} statements are named by a test; {len(wrong)} are missing without a "
          f"reason, {len(astray)} citations lead nowhere")
    return 1 if wrong or astray else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
