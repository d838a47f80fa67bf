"""Which numbered checks of the protocol reference (PW-001…PW-186) no test names.

A Python test names a check in its function's name or docstring (`PW-042`, or `test_pw_042_…`); a Swift test, or one in
another language, anywhere in its text. Ends with 1 when a check without a test is not one of the agreed exceptions."""

import ast
import pathlib
import re
import sys

LAST = 186
EXCEPTIONS = {84: "needs a cluster", 165: "needs a cluster", 186: "HTTP fallback transports are not implemented",
              **{number: "webhooks" for number in range(167, 179)}}
NAME = re.compile(r"\bPW-(\d{3})\b|(?<![A-Za-z0-9])pw_(\d{3})(?!\d)", re.IGNORECASE)
TESTS = pathlib.Path(__file__).resolve().parents[1]


def numbers(text: str) -> set[int]:
    return {int(first or second) for first, second in NAME.findall(text)}


def named_by_python(file: pathlib.Path) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            found |= numbers(node.name.replace("test_", " ")) | numbers(ast.get_docstring(node) or "")
    return found


def checks() -> dict[int, list[str]]:
    """Check → the files that name it."""
    found: dict[int, list[str]] = {number: [] for number in range(1, LAST + 1)}
    for file in sorted(TESTS.rglob("*")):
        if any(part.startswith(".") or part == "node_modules" for part in file.relative_to(TESTS).parts):
            continue
        if file.suffix == ".py" and file.name.startswith("test_"):
            named = named_by_python(file)
        elif file.suffix in (".swift", ".js", ".mjs", ".ts", ".php", ".rb"):
            named = numbers(file.read_text(errors="replace"))
        else:
            continue
        for number in named & found.keys():
            found[number].append(str(file.relative_to(TESTS)))
    return found


def main() -> int:
    found = checks()
    if "--files" in sys.argv:
        for number, files in found.items():
            print(f"PW-{number:03} {' '.join(files)}")
    missing = [number for number, files in found.items() if not files]
    for number in missing:
        print(f"PW-{number:03} has no test" + (f" (agreed: {EXCEPTIONS[number]})" if number in EXCEPTIONS else ""))
    wrong = [number for number in missing if number not in EXCEPTIONS]
    print(f"{LAST - len(missing)} of {LAST} checks are named by a test; {len(wrong)} are missing without a reason")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
