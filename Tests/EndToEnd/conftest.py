import pytest

from harness import Broker, app


def pytest_configure(config):
    config.addinivalue_line("markers", "core: the selection that also runs under the sanitizers (Tests/run)")


@pytest.fixture(scope="module")
def broker():
    """A broker with the default app, shared by the tests of one file: they must use channel names of their own."""
    with Broker({"apps": [app()]}) as running:
        yield running
