"""A served backend on the Dat network, as its users meet it: found by discovery alone.

`nodevms exec` serves; `dat` 13 and 14 clone its files; a mirror follows; then the host is gone.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from command_line import in_process
from network import Network
from program import Program

SCRIPT = """
exports.begin = async () => {
  await System.files.mkdir('/deep')
  await System.files.mkdir('/deep/er')
  await System.files.writeFile('/deep/er/\u00fc.txt', 'x'.repeat(200000))
  await System.files.writeFile('/hello.txt', 'world')
  await System.files.writeFile('/gone.txt', 'soon')
}
exports.change = async () => {
  await System.files.writeFile('/hello.txt', 'moon')
  await System.files.writeFile('/new.txt', 'new')
  await System.files.unlink('/gone.txt')
}
exports.echo = value => value
exports.write = (path, text) => System.files.writeFile(path, text)
"""
LOAD = """
import asyncio
from nodevms.rpc import RPCClient

async def main():
    async with RPCClient() as client:
        await client.connect("localhost:5555")
        print("begun", flush=True)
        for number in range(10**6):
            await asyncio.gather(
                *(client.call("write", f"/{number % 50}-{at}", "x" * 5000) for at in range(8))
            )

asyncio.run(main())
"""
BEGUN = {"hello.txt": "world", "deep/er/\u00fc.txt": "x" * 200_000, "gone.txt": "soon"}
CHANGED = {"hello.txt": "moon", "deep/er/\u00fc.txt": "x" * 200_000, "new.txt": "new"}


class Host:
    """A served backend in the network."""

    def __init__(self, network: Network, place: Path) -> None:
        (place / "backend.js").write_text(SCRIPT)
        self.network = network
        self.directory = place / "backend"
        self.program = network.nodevms(
            "exec", str(place / "backend.js"), "--dir", str(self.directory)
        )
        found = self.program.wait_for(r"Files: +(dat://\w{64})\nCall log: (dat://\w{64})")
        self.files, self.log = found.group(1), found.group(2)

    def call(self, *arguments: str) -> None:
        self.network.nodevms("call", "localhost:5555", *arguments).wait()

    def published(self, entries: int) -> None:
        """Wait until the drive reflects so many entries; it follows within a second."""

        def look() -> bool:
            return bool(at_rest(self.directory)["publishedEntries"] == entries)

        self.program.wait_until(f"publication of entry {entries - 1}", look)

    def stop(self) -> None:
        self.program.process.send_signal(signal.SIGTERM)
        self.program.wait()


def at_rest(directory: Path) -> dict[str, Any]:
    """Verify a directory, for which no network is needed."""
    done = in_process("verify", str(directory), "--json", "--no-memory")
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def verified(network: Network, *arguments: str) -> dict[str, Any]:
    program = network.nodevms("verify", *arguments, "--json", "--no-memory")
    program.wait(exit_code=None)
    document: dict[str, Any] = program.documents()[-1]
    return document


def files_of(place: Path) -> dict[str, str]:
    return {
        str(path.relative_to(place)): path.read_text()
        for path in place.rglob("*")
        if path.is_file() and ".dat" not in path.relative_to(place).parts
    }


@pytest.fixture
def host(network: Network, tmp_path: Path) -> Host:
    return Host(network, tmp_path)


def test_both_dat_programs_clone_a_backend_and_what_changed_since(
    host: Host, network: Network, tmp_path: Path
) -> None:
    for turn, (method, files) in enumerate((("begin", BEGUN), ("change", CHANGED)), 2):
        host.call(method)
        host.published(turn)
        clones = {
            tmp_path / f"{method}{version}": network.dat(
                version, "clone", host.files, str(tmp_path / f"{method}{version}")
            )
            for version in (13, 14)
        }
        for place, program in clones.items():
            program.wait()
            assert files_of(place) == files


def follows(mirror: Program) -> None:
    mirror.wait_until("something new", lambda: len(mirror.documents()) > 1)


def has(mirror: Program, entries: int) -> None:
    mirror.wait_until(
        f"{entries} entries", lambda: any(d["entries"] == entries for d in mirror.documents())
    )


def test_a_mirror_keeps_a_backend_readable_and_auditable_when_its_host_is_gone(
    host: Host, network: Network, tmp_path: Path
) -> None:
    host.call("begin")
    mirror = network.nodevms("mirror", host.log, str(tmp_path / "mirror"), "--json")
    has(mirror, 2)
    host.call("change")
    has(mirror, 3)
    host.published(3)
    host.stop()
    document = verified(network, host.log)
    assert (document["verdict"], document["source"], document["peers"]) == ("verified", "dat", 1)
    assert (document["entries"], document["publishedEntries"]) == (3, 3)
    program = network.dat(13, "clone", host.files, str(tmp_path / "cloned"))
    program.wait()
    assert files_of(tmp_path / "cloned") == CHANGED

    # It stops, and goes on with nothing lost; whoever starts it again needs no host.
    mirror.process.send_signal(signal.SIGINT)
    mirror.wait()
    assert at_rest(tmp_path / "mirror")["entries"] == 3
    again = network.nodevms("mirror", host.log, str(tmp_path / "mirror"), "--json")
    has(again, 3)
    lines = network.nodevms("log", host.log, "--json")
    lines.wait()
    assert [one["entry"]["type"] for one in lines.documents()] == ["init", "call", "call"]
    second = network.nodevms("mirror", host.log, str(tmp_path / "second"), "--json", "--once")
    second.wait()
    assert second.documents()[-1]["entries"] == 3
    for name in ("call-log.data", "files/content/data", "files/metadata/data"):
        data = (tmp_path / "second" / name).read_bytes()
        assert (
            data
            == (tmp_path / "mirror" / name).read_bytes()
            == (host.directory / name).read_bytes()
        )


def test_a_mirror_names_its_port_and_has_a_folder_of_its_own(
    host: Host, network: Network, tmp_path: Path
) -> None:
    mirror = network.nodevms("mirror", host.log, "--once", "--swarm-port", "4567", cwd=tmp_path)
    mirror.wait()
    assert mirror.output().startswith("Sharing with the Dat network on port 4567\n")
    folder = tmp_path / host.log.removeprefix("dat://")
    assert f"Mirror directory {folder}\n" in mirror.output()
    assert mirror.output().endswith("Has 1 entry and 0 bytes of files.\n")
    assert at_rest(folder)["entries"] == 1


def test_a_mirror_of_what_nobody_has_says_so_and_goes_on(network: Network, tmp_path: Path) -> None:
    mirror = network.nodevms("mirror", "dat://" + "ab" * 32, str(tmp_path / "mirror"))
    mirror.wait_for("Nobody was found yet who has it. It goes on looking.")
    mirror.process.send_signal(signal.SIGTERM)
    mirror.wait()


def test_each_url_where_the_other_is_wanted(host: Host, network: Network, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    cloned = network.nodevms("clone", host.log, place)
    cloned.wait(exit_code=2)
    assert f"{host.log} is not a drive" in cloned.errors()
    assert f"nodevms clone {host.files}" in cloned.errors()
    network.nodevms("clone", host.files, place).wait()  # nothing is in its way

    copy = str(tmp_path / "copy")
    for command, *options in (("verify", "--dir", copy), ("mirror", copy, "--once")):
        program = network.nodevms(command, host.files, *options)
        program.wait(exit_code=2)
        assert f"{host.files} is a drive, and not a call log" in program.errors()
        assert not Path(copy).exists()
    network.nodevms("mirror", host.log, copy, "--once").wait()


def test_a_log_is_followed_over_the_network(host: Host, network: Network) -> None:
    following = network.nodevms("log", host.log, "--follow", "--json", "--last", "1")
    following.wait_until("the first entry", following.documents)
    host.call("echo", "1")
    following.wait_until("a second entry", lambda: len(following.documents()) == 2)
    first, second = following.documents()
    assert (first["seq"], second["seq"]) == (0, 1)
    assert second["entry"]["call"]["args"] == [1]


def test_a_server_that_is_gone_is_verified_from_the_network(host: Host, network: Network) -> None:
    document = verified(network, "localhost:5556", "--log", host.log)
    assert (document["verdict"], document["source"]) == ("verified", "dat")
    assert verified(network, "localhost:5555", "--log", host.log)["source"] == "http"
    document = verified(network, "localhost:5556", "--log", host.log, "--no-swarm")
    assert (document["verdict"], document["code"]) == ("could-not-check", "connection-failed")


def test_a_copy_over_http_goes_on_over_the_network_and_back(
    host: Host, network: Network, tmp_path: Path
) -> None:
    kept = str(tmp_path / "kept")
    for entries, target in enumerate(("localhost:5555", host.log, "localhost:5555"), 1):
        document = verified(network, target, "--dir", kept)
        assert (document["verdict"], document["entries"]) == ("verified", entries)
        assert at_rest(Path(kept))["entries"] == entries
        host.call("echo", json.dumps(entries))


def test_a_backend_that_goes_on_meanwhile_is_verified(host: Host, network: Network) -> None:
    load = network.python("-c", LOAD, name="load")
    load.wait_for("begun")
    entries = []
    for _ in range(2):
        document = verified(network, host.log)
        assert document["verdict"] == "verified", document
        entries.append(document["entries"])
    assert load.running(), load.errors()
    assert entries == sorted(set(entries))


def test_a_mirror_that_follows_a_busy_backend_accuses_nobody(
    host: Host, network: Network, tmp_path: Path
) -> None:
    mirror = network.nodevms("mirror", host.log, str(tmp_path / "mirror"), "--json")
    has(mirror, 1)
    load = network.python("-c", LOAD, name="load")
    load.wait_for("begun")
    verdicts = []
    for _ in range(5):
        done = in_process("verify", str(tmp_path / "mirror"), "--json", "--no-memory")
        verdicts.append((done.exit_code, json.loads(done.stdout).get("code")))
    assert load.running(), load.errors()
    load.kill()
    assert {code for code, _ in verdicts} <= {0, 3}, verdicts
    host.stop()
    mirror.process.send_signal(signal.SIGTERM)
    mirror.wait()
    assert at_rest(tmp_path / "mirror")["verdict"] == "verified"
    assert (0, None) in verdicts


def test_of_a_mirror_that_was_killed_in_the_middle_the_whole_part_can_be_verified(
    host: Host, network: Network, tmp_path: Path
) -> None:
    place = tmp_path / "mirror"
    mirror = network.nodevms("mirror", host.log, str(place), "--json")
    has(mirror, 1)
    load = network.python("-c", LOAD, name="load")
    for _ in range(20):  # until it is killed between a head and its blocks
        follows(mirror)
        mirror.kill()
        done = in_process("verify", str(place), "--json", "--no-memory")
        if json.loads(done.stdout).get("code") == "feed-incomplete":
            break
        mirror = network.nodevms("mirror", host.log, str(place), "--json")
    assert done.exit_code == 3
    load.kill()
    host.stop()
    part = in_process("verify", str(place), "--json", "--no-memory", "--allow-older")
    assert part.exit_code == 0, part.output
    assert json.loads(part.stdout)["entries"] > 1
