"""``nodevms clone`` of what ``dat``, npm's hyperdrive and our own server share."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from counted_line import CountedLine
from network import Network
from program import Program

DAT = r"dat://[0-9a-f]{64}"
BIG_BYTES = 12 * 1024 * 1024
FIRST_BYTES = 4 * 1024 * 1024
BLOCK_BYTES = 64 * 1024


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".dat" not in path.relative_to(folder).parts
    }


def folders(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_dir() and ".dat" not in path.relative_to(folder).parts
    }


@dataclass
class Drive:
    """One big file and some small ones, served on the host by npm's hyperdrive."""

    network: Network
    server: Program
    source: Path
    url: str
    port: int

    def clone(self, target: Path, *arguments: str, port: int = 0, url: str = "") -> Program:
        peer = ("--no-swarm", "--peer", f"127.0.0.1:{port or self.port}")
        return self.network.nodevms("clone", url or self.url, str(target), "--json", *peer, *arguments)

    def cloned(self, target: Path, *arguments: str, exit_code: int = 0, **to: Any) -> dict[str, Any]:
        program = self.clone(target, *arguments, **to)
        program.wait(exit_code=exit_code)
        (document,) = program.documents()
        return document


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    place = tmp_path_factory.mktemp("drive")
    source = place / "source"
    (source / "sub").mkdir(parents=True)
    (source / "big").write_bytes(random.Random(1).randbytes(BIG_BYTES))
    (source / "a").write_bytes(b"a")
    (source / "sub" / "z").write_bytes(b"z")
    with Network(place / "network", isolated=False) as network:
        server = network.node("hyperdrive_serve.js", "-", str(source), "0")
        ready = server.wait_event("ready")
        yield Drive(network, server, source, f"dat://{ready['key']}", ready["port"])


def blocks_kept(target: Path) -> int:
    """Count the contents' blocks that are on the disk, as the first page of their bitfield says."""
    bitfield = target / ".dat" / "content.bitfield"
    found = bitfield.read_bytes()[32:1056] if bitfield.exists() else b""
    return int.from_bytes(found).bit_count()


def test_a_clone_that_is_interrupted_goes_on_where_it_was(drive: Drive, tmp_path: Path) -> None:
    """By Ctrl-C, then by a kill, and each time nothing that was there is fetched again."""
    target = tmp_path / "clone"
    with CountedLine(drive.port) as line:
        kept = 0
        for number, code in ((signal.SIGINT, 3), (signal.SIGKILL, -signal.SIGKILL)):
            line.hold_after(FIRST_BYTES)
            program = drive.clone(target, port=line.port)
            program.wait_until("a full line", line.held)
            lacking = FIRST_BYTES // BLOCK_BYTES - 8
            program.wait_until("blocks", lambda: blocks_kept(target) >= kept + lacking)  # noqa: B023
            program.process.send_signal(number)
            assert program.wait(exit_code=None) == code
            kept = blocks_kept(target)
        assert "big" not in contents(target)
        line.hold_after(None)
        limit = BIG_BYTES - 2 * FIRST_BYTES + 16 * BLOCK_BYTES
        document = drive.cloned(target, "--max-download", str(limit), port=line.port)
        assert line.came < limit
    assert document["downloaded"] < limit
    assert contents(target) == contents(drive.source)
    again = drive.cloned(target)
    assert (again["written"], again["downloaded"]) == (0, 0)


def test_a_clone_that_nobody_goes_on_with_ends_in_time(drive: Drive, tmp_path: Path) -> None:
    """A peer that was found and then sends nothing more, and one that was never found."""
    nobody = "dat://" + "ab" * 32
    with CountedLine(drive.port, hold_after=FIRST_BYTES) as line:
        running = [
            (drive.clone(tmp_path / "1", "--timeout", "2", port=line.port), "dat-stalled"),
            (drive.clone(tmp_path / "2", "--max-time", "4", port=line.port), "time"),
            (drive.clone(tmp_path / "3", "--timeout", "2", url=nobody), "dat-nobody"),
        ]
        for program, reason in running:
            program.wait(exit_code=3)
            assert program.documents()[-1]["code"] == reason
            assert program.documents()[-1]["verdict"] == "could-not"
            assert "Traceback" not in program.errors()
    drive.cloned(tmp_path / "1")  # what it had is no obstacle
    assert contents(tmp_path / "1") == contents(drive.source)
