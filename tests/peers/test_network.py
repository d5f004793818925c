"""The tests' own network: the dat programs find each other in it, and it leaves nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from network import Network
from program import Program

FILES = {"hello.txt": b"hello\n", "deep/er/b.bin": bytes(range(256)) * 1000}


def folder(place: Path) -> Path:
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def files(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and ".dat" not in path.parts
    }


def share(network: Network, version: int, place: Path) -> Program:
    return network.dat(version, "share", "--no-watch", cwd=folder(place))


def clone(network: Network, version: int, sharer: Program, place: Path) -> Program:
    link = sharer.wait_for(r"dat://[0-9a-f]{64}").group()
    sharer.wait_for("metadata updated")
    return network.dat(version, "clone", link, str(place))


def check_both_find_each_other(network: Network, tmp_path: Path) -> None:
    """Both versions at the same time: half the waiting."""
    sharers = {version: share(network, version, tmp_path / f"s{version}") for version in (13, 14)}
    cloners = {
        version: clone(network, version, sharer, tmp_path / f"c{version}")
        for version, sharer in sharers.items()
    }
    for version, cloner in cloners.items():
        cloner.wait()
        assert "dat sync complete" in cloner.output()
        assert files(tmp_path / f"c{version}") == FILES


def test_dat_programs_of_each_version_find_each_other(network: Network, tmp_path: Path) -> None:
    check_both_find_each_other(network, tmp_path)


def test_where_no_namespace_can_be_made_they_meet_on_loopback(tmp_path: Path) -> None:
    with Network(tmp_path / "network", isolated=False) as network:
        assert not network.isolated
        check_both_find_each_other(network, tmp_path)


def test_nodevms_runs_in_the_network(network: Network) -> None:
    program = network.nodevms("--version")
    program.wait()
    assert program.output().startswith("nodevms")


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_nothing_of_a_network_is_left_when_it_closes(tmp_path: Path) -> None:
    with Network(tmp_path / "network") as network:
        child = network.start("parent", ["sh", "-c", "sleep 100 & echo pid $!; wait"])
        pids = [child.pid, int(child.wait_for(r"pid (\d+)").group(1))]
        for pid in pids:
            os.kill(pid, 0)
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_a_failure_shows_what_the_program_said(network: Network) -> None:
    program = network.start("crier", ["sh", "-c", "echo so far; echo sorry >&2; exit 3"])
    with pytest.raises(AssertionError, match=r"(?s)crier ended with 3.*so far.*sorry"):
        program.wait_for("never said")
