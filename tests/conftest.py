from pathlib import Path

import pytest

from nodevms.sandbox import Engine


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
