from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from served import Nodevms, Serving, serving

from nodevms.cli import main
from nodevms.vm.limits import Limits


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One script for all tests, which look at nothing that another test changes."""
    with serving() as server:
        directory = tmp_path_factory.mktemp("served") / "backend"
        server.start_script(
            directory, title="For tests", debug=True, limits=Limits(gas=200_000_000)
        )
        yield server


@pytest.fixture
def nodevms(monkeypatch: pytest.MonkeyPatch) -> Nodevms:
    """Run a command line in this process."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "NODEVMS_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=input, prog_name="nodevms")

    return run
