"""``nodevms clone`` as users run it, with a peer on loopback in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nodevms.cli import main
from nodevms.dat import Network, PublishedFeed, Swarm, SwarmThread

sys.path.append(str(Path(__file__).parents[1] / "dat"))
from clone_worlds import Source, files_in


class Served:
    """A drive with a peer that has it."""

    def __init__(self, directory: Path) -> None:
        self.source = Source(directory)
        self.url = f"dat://{self.source.key.hex()}"
        self.thread = SwarmThread(Network(Swarm(host="127.0.0.1", port=0)))
        self.thread.start()
        network = self.thread.swarm
        for feed in (self.source.metadata, self.source.content):
            is_drive = feed is self.source.metadata
            self.thread.call(network.share, PublishedFeed(feed), drive=is_drive)
        self.port = network.swarm.port

    def clone(self, *arguments: str, url: str | None = None) -> Result:
        peer = ("--no-swarm", "--peer", f"127.0.0.1:{self.port}")
        return CliRunner().invoke(main, ["clone", url or self.url, *arguments, *peer])


@pytest.fixture
def served(place: Path) -> Iterator[Served]:
    served = Served(place / "source")
    yield served
    served.thread.stop()


def test_people_read_what_came_of_it(served: Served, place: Path) -> None:
    served.source.write("/a.txt", b"hello")
    served.source.write("/b.txt", b"gone")
    done = served.clone()
    assert done.exit_code == 0, done.output
    folder = place / served.source.key.hex()  # as `dat` 13 names it
    assert files_in(folder) == served.source.model
    assert done.stdout == (
        f"✔{folder.name} has version 2: 2 files, 9 bytes.\n2 files written, 9 bytes fetched.\n"
    )
    (folder / "a.txt").write_bytes(b"mine")
    served.source.write("/a.txt", b"theirs")
    served.source.remove("/b.txt")
    done = served.clone(str(folder))
    assert done.stdout.endswith("1 file written, 1 deleted, 6 bytes fetched.\n")
    assert "  a.txt is now a.txt.local-1\n" in done.stderr


def test_programs_read_one_object(served: Served, place: Path) -> None:
    served.source.write("/a.txt", b"hello")
    served.source.write("/a.txt", b"hello again")
    for version, size, arguments in ((2, 11, ()), (1, 5, ("--version", "1"))):
        done = served.clone("there", "--json", *arguments)
        assert json.loads(done.stdout) == {
            "verdict": "done",
            "url": served.url,
            "directory": "there",
            "version": version,
            "files": 1,
            "bytes": size,
            "written": 1,
            "downloaded": size,
            "deleted": 0,
            "changed": [],
            "kept": {},
            "skipped": [],
        }
    done = served.clone("there", "--json", url=served.url + "+2")
    assert json.loads(done.stdout)["version"] == 2
    assert files_in(place / "there") == {"a.txt": b"hello again"}


def test_what_could_not_be_written_and_what_is_false(served: Served) -> None:
    served.source.write("/good", b"good")
    served.source.write("/" + "n" * 300, b"too long")
    done = served.clone("there")
    assert done.exit_code == 3
    assert "nnn: a name is longer than 255 bytes" in done.stderr
    served.source.publish({"/\x1b[2J": served.source.store(b"lie", size=2, mode=0o120777)})
    done = served.clone("there")
    assert done.exit_code == 1
    assert "\\x1b[2J: " in done.stderr
    assert "\x1b" not in done.stderr
    document = json.loads(served.clone("there", "--json").stdout)
    assert document["verdict"] == "proved-false"
    assert [one["false"] for one in document["skipped"]] == [True, False]


def test_wrong_usage(served: Served, place: Path) -> None:
    (place / "full").mkdir()
    (place / "full" / "mine").write_bytes(b"mine")
    for arguments, url in (
        (("full",), None),
        (("x", "--version", "1"), served.url + "+1"),
        (("x", "--version", "1", "--live"), None),
        (("x",), "dat://nothing"),
        (("x",), "localhost:5555"),
        (("x", "--peer", "nowhere"), None),
    ):
        done = served.clone(*arguments, url=url)
        assert done.exit_code == 2, (arguments, done.output)
    assert not (place / "x").exists()
    alone = CliRunner().invoke(main, ["clone", served.url, "x", "--no-swarm"])
    assert alone.exit_code == 2
    assert "--peer" in alone.stderr


def test_nobody_has_it(served: Served) -> None:
    done = served.clone("there", "--timeout", "0.5", url="dat://" + "ab" * 32)
    assert done.exit_code == 3
    assert "Nobody was found who has this drive." in done.stderr
    done = served.clone("there2", "--max-time", "0.3", "--json", url="dat://" + "ab" * 32)
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (3, "time")


def test_too_much(served: Served, place: Path) -> None:
    served.source.write("/a", b"x" * 5000)
    done = served.clone("there", "--max-download", "4999")
    assert done.exit_code == 3
    assert "--max-download" in done.stderr
    assert files_in(place / "there") == {}
