from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network

on_the_host: list[Path] = []


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A network of the test's own; everything in it ends with the test."""
    with Network(tmp_path / "network") as network:
        if not network.isolated:
            on_the_host.append(tmp_path)
        yield network


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once that programs ran on the host."""
    if on_the_host:
        terminalreporter.write_line(
            f"{len(on_the_host)} tests ran their programs on the host, kept to loopback as well as "
            "possible, because no network namespace could be made here."
        )
