"""``make demo`` shows what it promises, by itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from network import Network
from program import Program

DEMO = str(Path(__file__).parents[2] / "tools" / "demo.py")
PATIENCE_S = 240.0
COMPILED = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
"""Where the engine of this run of the tests is, compiled."""
SHOWN = (
    "increment() → 3",
    "increment() → 4",
    "✔Call log verified.",
    "the call log, entry 2: Block 2 in tampered/call-log.data does not have the hash",
    "entry 2 (increment()): result differs: expected 2, found 9",
    "Caught both times",
)
OF_THE_NETWORK = (
    "✔copy has version",
    "$ cat copy/counter\n  4\n",
    "✔Call log verified.",
    "Copied from 1 peer of the Dat network; no server was asked.",
)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A network with nothing but loopback, where that can be had; each program has an empty HOME."""
    with Network(tmp_path / "network") as network:
        yield network


def check(demo: Program, *shown: str) -> None:
    """Check that the demonstration ends well, and shows these in this order."""
    demo.wait(PATIENCE_S)
    rest = demo.output()
    for text in shown:
        before, found, rest = rest.partition(text)
        assert found, f"no {text!r} after {before!r}"
    assert "\x1b" not in demo.output()
    assert demo.errors() == ""


@pytest.mark.timeout(PATIENCE_S + 60)  # in an empty HOME the engine is compiled first
def test_the_demonstration_serves_verifies_shares_and_catches_both_lies(
    network: Network, tmp_path: Path
) -> None:
    place, temporary = tmp_path / "place", tmp_path / "temporary"
    place.mkdir()
    temporary.mkdir()
    environment = {"NODEVMS_SWARM": "yes", "TMPDIR": str(temporary)}
    shares = network.isolated
    if not shares:  # never on the network that this computer is on
        environment["NODEVMS_SWARM"] = "no"
    command = ["sh", "-c", 'exec "$@" 2>&1', "sh", sys.executable, DEMO]
    demo = network.start("demo", command, cwd=place, env=environment)
    if shares:
        check(demo, *SHOWN[:3], *OF_THE_NETWORK, *SHOWN[3:])
    else:
        check(demo, *SHOWN)
    assert os.listdir(place) == []
    assert os.listdir(temporary) == []


@pytest.mark.timeout(PATIENCE_S + 60)
def test_a_user_who_wants_no_swarm_is_shown_the_rest(network: Network) -> None:
    command = [sys.executable, DEMO]
    environment = {"NODEVMS_SWARM": "no", "XDG_CACHE_HOME": COMPILED}
    demo = network.start("demo", command, env=environment)
    demo.wait(PATIENCE_S)
    assert "sharing" not in demo.errors() + demo.output()
    assert "Copied from" not in demo.output()
    assert "is turned off or cannot be joined here" in demo.output()
    assert "Caught both times" in demo.output()
