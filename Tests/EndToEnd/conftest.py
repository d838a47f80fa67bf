import resource

import pytest

from harness import Broker, app

# Some tests open a thousand connections; the broker inherits this limit too.
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="module")
def broker():
    """A broker with the default app, shared by the tests of one file: they must use channel names of their own."""
    with Broker({"apps": [app()]}) as running:
        yield running
