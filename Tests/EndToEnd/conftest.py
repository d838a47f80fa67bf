import os
import resource

import pytest

from harness import Broker, app
from http_tools import Bystander, Caller

# Some tests open a thousand connections; the broker inherits this limit too.
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# Files whose tests mostly wait for time to pass: a sanitizer learns nothing more from them (Tests/run --long runs them all).
WAITING = {
    "test_authorized_connections.py", "test_bench.py", "test_limits.py", "test_liveness.py", "test_subscription_count.py",
    "test_deadlines.py", "test_webhook_clocks.py", "test_webhook_troubles.py",
}
# Files about what one loop reads, or about no broker at all: AddressSanitizer watches them, ThreadSanitizer would have nothing to see.
ONE_THREAD = {
    "test_api_auth.py", "test_api_malformed.py", "test_api_signing_libraries.py", "test_bench_histogram.py", "test_cli.py",
    "test_http_smuggling.py", "test_house.py", "test_malformed_messages.py", "test_protocol_reference.py", "test_readme.py",
    "test_tls_dev.py",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "memory: compares sizes of the process, or fills it, which a sanitizer multiplies")
    config.addinivalue_line("markers", "long: takes a minute; only with STARLING_LONG=1 (Tests/run --long)")
    config.addinivalue_line("markers", "crash: crashes the broker, which a sanitizer takes for its own affair")
    config.addinivalue_line("markers", "core: the selection that Tests/run also runs under the sanitizers")
    config.addinivalue_line("markers", "threads: what ThreadSanitizer may learn something from")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("long") and not os.environ.get("STARLING_LONG"):
            item.add_marker(pytest.mark.skip(reason="only with STARLING_LONG=1 (Tests/run --long)"))
        if item.path.name not in WAITING and not any(map(item.get_closest_marker, ("memory", "crash"))):
            item.add_marker(pytest.mark.core)
        if item.path.name not in ONE_THREAD:
            item.add_marker(pytest.mark.threads)


@pytest.fixture(scope="module")
def broker():
    """A broker with the default app, shared by the tests of one file: they must use channel names of their own."""
    with Broker({"apps": [app()]}) as running:
        yield running


@pytest.fixture
def client(broker):
    """A connected client of the default app."""
    with broker.client() as running:
        yield running


@pytest.fixture
def people(broker):
    """Makes clients that are closed at the end: `people(3)`, or `people(2, "name")` for a `named_app`."""
    opened = []

    def make(count, name=None):
        made = [broker.client_of(name) if name else broker.client() for _ in range(count)]
        opened.extend(made)
        return made

    yield make
    for client in opened:
        client.close()


@pytest.fixture(scope="module")
def caller(broker):
    """Calls of the default app's HTTP API."""
    calling = Caller(broker)
    yield calling
    calling.close()


@pytest.fixture(scope="module")
def bystander(broker, request):
    """A subscriber of the channels in the test file's `WATCHED`, which must not notice anything."""
    watching = Bystander(broker, *request.module.WATCHED)
    yield watching
    watching.close()
