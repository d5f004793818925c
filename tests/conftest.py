import pytest

from nodevms.sandbox import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The compiled guest, loaded once for all tests."""
    return Engine()
