from collections.abc import Iterator

import pytest
from state_worlds import OPENED


@pytest.fixture(autouse=True)
def _close_what_was_opened() -> Iterator[None]:
    yield
    OPENED.close()
