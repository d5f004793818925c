"""A served backend on the Dat network whose disk fails, and one that is stopped while it is read."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from network import Network

SCRIPT = str(Path(__file__).with_name("crash_backend.js"))
UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path / "network") as network:
        if not network.isolated:
            pytest.skip("a backend is shared in a network of the test's own alone")
        yield network


def test_a_backend_whose_disk_failed_is_shared_again_when_it_runs_again(
    network: Network, tmp_path: Path
) -> None:
    host = network.nodevms("exec", SCRIPT, "--dir", str(tmp_path / "backend"))
    log = host.wait_for(r"Call log: (dat://\w{64})").group(1)
    following = network.nodevms("log", log, "--follow", "--json")
    following.wait_until("the first entry", following.documents)

    def call(n: int) -> bool:
        program = network.nodevms("call", "localhost:5555", "put", str(n), "x" * 3000)
        return program.wait(exit_code=None) == 0

    assert call(0)
    resource.prlimit(host.pid, resource.RLIMIT_FSIZE, (12_000, UNLIMITED))
    n = 1
    while call(n):
        n += 1
    resource.prlimit(host.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
    while not call(n):
        n += 1
    assert "the backend runs again, in a new epoch" in host.errors()

    def entries() -> list[str]:
        return [document["entry"]["type"] for document in following.documents()]

    # Who read it before goes on, and who comes now finds it.
    following.wait_until(
        "the new epoch", lambda: "restart" in entries() and entries()[-1] == "call"
    )
    new = network.nodevms("verify", log, "--json", "--no-memory")
    new.wait()
    assert new.documents()[-1]["entries"] == len(entries())
    host.stop()
    assert "Traceback" not in host.errors()


def test_stopping_while_peers_read_is_clean(network: Network, tmp_path: Path) -> None:
    (tmp_path / "big.js").write_text(
        "exports.fill = async () => {\n"
        "  for (let n = 0; n < 12; n++) await System.files.writeFile(`/${n}`, `${n}`.repeat(900000))\n"
        "}\n"
    )
    much = ("--limit", "gas=10000000000")
    host = network.nodevms(
        "exec", str(tmp_path / "big.js"), "--dir", str(tmp_path / "backend"), *much
    )
    found = host.wait_for(r"Files: +(dat://\w{64})\nCall log: (dat://\w{64})")
    files, log = found.group(1), found.group(2)
    network.nodevms("call", "localhost:5555", "fill").wait()
    following = network.nodevms("log", log, "--follow", "--json")
    following.wait_until("the call", lambda: len(following.documents()) == 2)
    targets = [tmp_path / "clone", tmp_path / "dat"]
    clone = network.nodevms("clone", files, str(targets[0]), "--timeout", "1")
    network.dat(13, "clone", files, str(targets[1]))
    clone.wait_until("some files", (targets[0] / "0").exists)
    os.kill(clone.pid, signal.SIGSTOP)  # it takes nothing more of what is being sent to it
    assert host.stop(timeout_s=20) == 0
    (line,) = host.errors().splitlines()
    assert "sharing with the Dat network on port" in line
    os.kill(clone.pid, signal.SIGCONT)
    clone.wait(exit_code=None)
    assert following.running()
    for program in (clone, following):
        assert "Traceback" not in program.errors()
