"""A backend whose operator goes on with two copies of it, met by each command that reads the network.

The peers are found over multicast DNS, both at once: nobody names the one or the other.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network
from program import Program

from nodevms.feed import read_evidence

SCRIPT = "exports.write = (name, text) => System.files.writeFile(name, text)"


def serve(network: Network, place: Path, number: int) -> Program:
    ports = ("-p", str(5555 + number), "--swarm-port", str(3282 + number))
    script = str(place.parent / "backend.js")
    program = network.nodevms("exec", script, "--dir", str(place), *ports)
    program.wait_for(r"Call log: dat://\w{64}\n")
    program.wait_for("sharing with the Dat network on port")
    return program


def write(network: Network, number: int, text: str) -> None:
    network.nodevms("call", f"localhost:{5555 + number}", "write", "/a.txt", text).wait()


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, str, str, Path]]:
    """A network with two hosts of one backend, which parted after two entries."""
    place = tmp_path_factory.mktemp("forked")
    (place / "backend.js").write_text(SCRIPT)
    with Network(place / "network") as network:
        host = serve(network, place / "one", 0)
        found = host.wait_for(r"Files: +(dat://\w{64})\nCall log: (dat://\w{64})")
        write(network, 0, "before")
        host.stop(signal.SIGTERM)
        shutil.copytree(place / "one", place / "two")
        for number, name in enumerate(("one", "two")):
            serve(network, place / name, number)
            write(network, number, name)
        write(network, 1, "longer")
        yield network, found.group(1), found.group(2), place


def evidence_in(folder: Path) -> list[Path]:
    paths = [*folder.rglob("*.fork.json")]
    for path in paths:
        read_evidence(path).check()
    return paths


@pytest.mark.parametrize("command", ["verify", "log", "clone"])
def test_each_command_stops_and_keeps_what_proves_it(
    command: str, forked: tuple[Network, str, str, Path], tmp_path: Path
) -> None:
    network, files, log, _ = forked
    arguments = {"log": ["--follow"], "clone": [str(tmp_path / "clone"), "--live"]}
    url = files if command == "clone" else log
    program = network.nodevms(command, url, *arguments.get(command, []))
    program.wait(exit_code=1)
    assert "signed two histories" in program.errors()
    home = program.home
    assert any(str(path) in program.errors() for path in evidence_in(home))


def test_verify_prints_both_heads_and_gives_them_to_programs(
    forked: tuple[Network, str, str, Path], tmp_path: Path
) -> None:
    network, files, log, _ = forked
    kept = tmp_path / "kept"
    program = network.nodevms("verify", log, "--dir", str(kept))
    program.wait(exit_code=1)
    (path,) = (path for path in evidence_in(kept) if str(path) in program.errors())
    evidence = read_evidence(path)
    for head in (evidence.shorter, evidence.longer):
        assert head.signature.hex() in program.errors()
    again = network.nodevms("verify", log, "--dir", str(kept), "--json")
    again.wait(exit_code=1)
    document = again.documents()[-1]
    assert (document["verdict"], document["code"]) == ("proved-false", "feed-fork")
    assert document["evidence"]["key"] in {url.removeprefix("dat://") for url in (files, log)}
    assert path in evidence_in(kept)
    assert json.loads(path.read_text())["format"] == document["evidence"]["format"]


def test_a_mirror_serves_on_what_it_holds_and_says_in_the_end_what_it_saw(
    forked: tuple[Network, str, str, Path], tmp_path: Path
) -> None:
    network, _, log, _ = forked
    mirror = network.nodevms("mirror", log, str(tmp_path / "mirror"), "--swarm-port", "3299")
    mirror.wait_for("signed two histories")
    assert mirror.running()
    reader = network.nodevms("log", log, "--no-swarm", "--peer", "localhost:3299", "--last", "1")
    reader.wait()
    assert "init" in reader.output() or "write" in reader.output() or "restart" in reader.output()
    mirror.process.send_signal(signal.SIGTERM)
    mirror.wait(exit_code=1)
    assert evidence_in(tmp_path / "mirror")
