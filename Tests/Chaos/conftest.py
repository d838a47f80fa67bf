"""Each test measures figures of a reliability row, prints them as a line of a table, and then judges them."""

import contextlib
import pathlib
import resource
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

import rows  # noqa: E402

# Thousands of connections; the broker inherits this limit too.
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

MEASURED: list[rows.Measured] = []


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the full load of each row; its figures are kept")
    parser.addoption("--no-keep", action="store_true", help="a trial: nothing under benchmarks/results is changed")
    parser.addoption("--rows", default="", help="only these, as S1,L2")


def pytest_configure(config):
    config.addinivalue_line("markers", "row(name): the reliability row that a test measures")
    config.addinivalue_line("markers", "long: only with --long")


def pytest_collection_modifyitems(config, items):
    wanted = [name for name in config.getoption("--rows").split(",") if name]
    unknown = set(wanted) - set(rows.ROWS)
    if unknown:
        raise pytest.UsageError(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(rows.ROWS)}")
    is_long = config.getoption("--long")

    def is_chosen(item) -> bool:
        marker = item.get_closest_marker("row")
        row = marker.args[0] if marker else ""
        return (not wanted or row in wanted) and (is_long or item.get_closest_marker("long") is None)

    left_out = [item for item in items if not is_chosen(item)]
    items[:] = [item for item in items if is_chosen(item)]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        if is_long and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(1_500))


@pytest.fixture
def is_long(request) -> bool:
    return request.config.getoption("--long")


@pytest.fixture
def measure(request):
    """`with measure(load) as row:` takes figures; at its end they are printed, and one beyond its bound fails the test."""

    @contextlib.contextmanager
    def measuring(load: str):
        one = rows.Measured(request.node.get_closest_marker("row").args[0], load)
        yield one
        MEASURED.append(one)
        assert not any(figure.has_failed for figure in one.figures), one.line()

    return measuring


def is_kept(config) -> bool:
    return config.getoption("--long") and not config.getoption("--no-keep")


@pytest.fixture
def keep_page(request):
    """`keep_page(name, text)` writes a page of its own beside the table, after a run that is kept."""
    def keep(name: str, text: str) -> None:
        if is_kept(request.config):
            (rows.KEPT.parent / name).write_text(text)
    return keep


def pytest_terminal_summary(terminalreporter, config):
    if not MEASURED:
        return
    terminalreporter.section("reliability")
    terminalreporter.write_line(rows.HEAD)
    for one in MEASURED:
        terminalreporter.write_line(one.line())
    if is_kept(config):
        rows.keep(MEASURED)
        terminalreporter.write_line(f"kept in {rows.KEPT.relative_to(rows.ROOT)}")
