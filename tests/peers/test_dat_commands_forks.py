"""Commands that meet a second history of what they copied before, one peer at a time."""

from __future__ import annotations

import base64
import shutil
import sys
from pathlib import Path

import pytest
from command_line import in_process
from network import Network
from program import Program

from nodevms.feed import read_evidence


def serve(network: Network, place: Path) -> tuple[Program, str, int]:
    program = network.node("hyperdrive_serve.js", str(place), "-", "0")
    ready = program.wait_event("ready")
    return program, f"dat://{ready['key']}", ready["port"]


def write(program: Program, path: str, data: bytes) -> None:
    changed = len(program.documents("changed"))
    program.tell({"write": path, "data": base64.b64encode(data).decode()})
    program.wait_until("the change", lambda: len(program.documents("changed")) > changed)


def test_a_clone_is_not_led_into_another_history(tmp_path: Path) -> None:
    """The drive was restored from a backup and went on differently, longer and of the same length."""
    with Network(tmp_path / "network", isolated=False) as network:
        before, url, _ = serve(network, tmp_path / "before")
        write(before, "/a.txt", b"a")
        before.stop()
        ports = {}
        for name, count in (("first", 1), ("equal", 1), ("longer", 3)):
            shutil.copytree(tmp_path / "before", tmp_path / name)
            program, _, ports[name] = serve(network, tmp_path / name)
            for number in range(count):
                write(program, f"/{number}.txt", name.encode())
        target, state = tmp_path / "clone", tmp_path / "state"

        def clone(name: str, exit_code: int) -> Program:
            command = [sys.executable, "-m", "nodevms", "clone", url, str(target), "--json"]
            peer = ["--no-swarm", "--peer", f"127.0.0.1:{ports[name]}"]
            env = {"XDG_STATE_HOME": str(state)}
            program = network.start(f"clone-{name}", [*command, *peer], env=env)
            program.wait(exit_code=exit_code)
            return program

        def kept() -> set[Path]:
            return set(state.rglob("*.fork.json"))

        clone("first", 0)
        for name in ("equal", "longer"):
            known = kept()
            document = clone(name, 1).documents()[-1]
            assert (document["verdict"], document["code"]) == ("proved-false", "feed-fork")
            new = kept() - known
            assert any(str(path) in document["hint"] for path in new)
            for path in new:
                read_evidence(path).check()
            clone(name, 1)
            assert kept() == known | new  # the same evidence is kept once
            assert (target / "0.txt").read_bytes() == b"first"
        clone("first", 0)
        assert {path.name for path in target.glob("*.txt")} == {"a.txt", "0.txt"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "backend.js", "-p", "0"),
        ("clone", "dat://" + "ab" * 32, "there"),
        ("log", "dat://" + "ab" * 32),
        ("mirror", "dat://" + "ab" * 32, "there"),
        ("verify", "dat://" + "ab" * 32, "--dir", "there"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_the_dht_needs_is_said_and_nothing_is_begun(
    arguments: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "backend.js").write_text("exports.echo = value => value")
    monkeypatch.setitem(sys.modules, "libtorrent", None)
    swarm = "--swarm" if arguments[0] == "exec" else "--no-swarm"
    done = in_process(*arguments, swarm, "--dht")
    assert done.exit_code == 2
    assert "pip install 'nodevms[dht]'" in done.stderr
    assert [path.name for path in place.iterdir()] == ["backend.js"]
    if arguments[0] != "exec":
        done = in_process(*arguments, "--no-swarm")
        assert (done.exit_code, [*place.iterdir()]) == (2, [place / "backend.js"])
        assert "there is no way to find a peer" in done.stderr
