import os
from pathlib import Path

import pytest

from nodevms.sandbox import Engine

# No test speaks to the network that this computer may be on; those of the swarm make their own.
os.environ["NODEVMS_SWARM"] = "no"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The compiled guest, loaded once for all tests."""
    return Engine()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with a state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
