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
from folders import contents
from network import Network
from program import Program

DAT = r"dat://[0-9a-f]{64}"
BIG_BYTES = 12 * 1024 * 1024
FIRST_BYTES = 4 * 1024 * 1024
BLOCK_BYTES = 64 * 1024


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
        return self.network.nodevms(
            "clone", url or self.url, str(target), "--json", *peer, *arguments
        )

    def cloned(
        self, target: Path, *arguments: str, exit_code: int = 0, **to: Any
    ) -> dict[str, Any]:
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
    with (
        CountedLine(drive.port, hold_after=FIRST_BYTES) as one,
        CountedLine(drive.port, hold_after=FIRST_BYTES) as two,
    ):
        running = [
            (drive.clone(tmp_path / "1", "--timeout", "5", port=one.port), "dat-stalled"),
            (drive.clone(tmp_path / "2", "--max-time", "5", port=two.port), "time"),
            (drive.clone(tmp_path / "3", "--timeout", "2", url=nobody), "dat-nobody"),
        ]
        for program, reason in running:
            program.wait(exit_code=3)
            assert program.documents()[-1]["code"] == reason
            assert program.documents()[-1]["verdict"] == "could-not"
            assert "Traceback" not in program.errors()


def test_what_dat_13_and_dat_14_share_is_cloned_as_it_is(network: Network, tmp_path: Path) -> None:
    files = {
        "big": random.Random(2).randbytes(300_000),
        "empty": b"",
        "deep/er/\u00fc \U0001f980.txt": b"names",
        "deep/run": b"#!/bin/sh\n",
        "deep/er/index.html": b"<h1>",
    }
    running = []
    for version in (13, 14):
        shared = tmp_path / f"shared-{version}"
        for name, data in files.items():
            (shared / name).parent.mkdir(parents=True, exist_ok=True)
            (shared / name).write_bytes(data)
        (shared / "deep" / "run").chmod(0o755)
        sharer = network.dat(version, "share", "--no-watch", cwd=shared)
        url = sharer.wait_for(DAT).group()
        sharer.wait_for("metadata updated")
        target = tmp_path / f"clone-{version}"
        running.append((network.nodevms("clone", url, str(target)), target))
    for program, target in running:
        program.wait()
        assert contents(target) == files
        assert {name for name in files if (target / name).stat().st_mode & 0o100} == {"deep/run"}
        assert f"{target} has version 5: 5 files, 300 kB." in program.output()


SCRIPT = """
const fs = System.files
exports.write = (path, text) => fs.writeFile(path, text)
exports.remove = path => fs.unlink(path)
exports.fill = async () => {
  await fs.mkdir('/sub')
  for (const n of [1, 2, 3]) await fs.writeFile(`/sub/${n}`, 'x'.repeat(n))
}
"""


def test_a_backend_s_files_are_followed_and_had_as_they_were(
    network: Network, tmp_path: Path
) -> None:
    (tmp_path / "backend.js").write_text(SCRIPT)
    host = network.nodevms("exec", str(tmp_path / "backend.js"), "--dir", str(tmp_path / "backend"))
    url = host.wait_for(r"Files: +(dat://\w{64})\n").group(1)

    caller = network.python(str(Path(__file__).with_name("backend_calls.py")), "localhost:5555")

    def call(method: str, *arguments: str) -> None:
        answered = len(caller.documents())
        caller.tell({"call": method, "args": arguments})
        caller.wait_until("an answer", lambda: len(caller.documents()) > answered)

    call("fill")
    target, live_versions = tmp_path / "live", []
    live = network.nodevms("clone", url, str(target), "--live", "--json")
    filled = {"sub/1": b"x", "sub/2": b"xx", "sub/3": b"xxx"}

    def has(files: dict[str, bytes]) -> None:
        live.wait_until(f"{files}", lambda: contents(target) == files)
        live.wait_until("a line", lambda: len(live.documents()) > len(live_versions))
        live_versions.append(live.documents()[-1]["version"])

    has(filled)
    call("write", "/sub/2", "changed")
    changed = {**filled, "sub/2": b"changed"}
    has(changed)
    call("remove", "/sub/1")
    del changed["sub/1"]
    has(changed)
    (target / "sub" / "3").write_bytes(b"mine")  # a file of the user's own, from now on
    call("write", "/new", "new")
    has({**changed, "sub/3": b"mine", "new": b"new"})
    assert live.documents()[-1]["changed"] == ["sub/3"]
    call("write", "/sub/3", "theirs")
    has({**changed, "sub/3": b"theirs", "sub/3.local-1": b"mine", "new": b"new"})
    assert live.documents()[-1]["kept"] == {"sub/3": "sub/3.local-1"}
    live.process.send_signal(signal.SIGINT)
    live.wait()
    assert live_versions == sorted(live_versions)
    assert live.errors() == ""

    # Each as it was at any of its versions; what came at once can be had at its end alone.
    then, now = tmp_path / "then", tmp_path / "now"
    filled_version = str(live_versions[0])
    clones = [
        network.nodevms("clone", f"{url}+{filled_version}", str(then)),
        network.nodevms("clone", url, str(now), "--version", str(live_versions[1])),
    ]
    for clone in clones:
        clone.wait()
    assert contents(then) == filled
    assert contents(now) == {**filled, "sub/2": b"changed"}
    refused = [
        (now, filled_version, 0, ""),
        (then, "2", 2, "lies inside a publication"),
        (tmp_path / "new", str(live_versions[-1] + 1), 3, "has version"),
    ]
    running = [
        network.nodevms("clone", url, str(place), "--version", version, "--timeout", "2")
        for place, version, _, _ in refused
    ]
    for clone, (_, _, code, reason) in zip(running, refused, strict=True):
        clone.wait(exit_code=code)
        assert reason in clone.errors()
    assert contents(now) == contents(then) == filled
    assert contents(tmp_path / "new") == {}


def test_a_folder_with_other_things_is_left_alone(drive: Drive, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / "big").write_bytes(b"mine")
    document = drive.cloned(target, exit_code=2)
    assert document["verdict"] == "usage"
    assert contents(target) == {"big": b"mine"}
    assert list(target.iterdir()) == [target / "big"]
