"""A mirror that is killed, that has no room, and that is looked at while it follows a busy backend."""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command_line import in_process

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from network import Network
from program import Program

from nodevms.feed import PartialFeed

SCRIPT = str(Path(__file__).with_name("crash_backend.js"))
CALLS = str(Path(__file__).parents[1] / "peers" / "backend_calls.py")
FEEDS = ("call-log.data", "call-log.tree", "files/metadata/data", "files/content/data")
KILLS = 4
ROUND = 600
PAUSE_S = 0.02
UNLIMITED = resource.RLIM_INFINITY


class Site:
    """A served backend, and a program that calls it."""

    def __init__(self, network: Network, place: Path) -> None:
        self.network = network
        self.directory = place / "backend"
        self.host = network.nodevms("exec", SCRIPT, "--dir", str(self.directory))
        self.log = self.host.wait_for(r"Call log: (dat://\w{64})").group(1)
        self.calls = network.python(CALLS, "localhost:5555")
        self.rounds = 0

    def keep_busy(self) -> None:
        """Make calls for some seconds, and again when they are answered."""
        if len(self.calls.documents("answered")) == self.rounds:
            self.rounds += 1
            self.calls.tell({"call": "put", "args": ["x" * 1500], "turns": ROUND, "pause": PAUSE_S})

    def rest(self) -> None:
        """Wait until all is answered."""
        self.calls.wait_until(
            "answers", lambda: len(self.calls.documents("answered")) == self.rounds
        )

    def mirror(self, directory: Path, *arguments: str) -> Program:
        return self.network.nodevms("mirror", self.log, str(directory), "--json", *arguments)

    def entries_in(self, directory: Path) -> int:
        """How many entries a mirror that does not run has from the first on."""
        key = bytes.fromhex(self.log.removeprefix("dat://"))
        with PartialFeed.open(directory, "call-log.", key) as feed:
            return next(feed.missing(0, feed.length), (feed.length,))[0]


def told(mirror: Program) -> int:
    """How many entries a mirror said that it has."""
    return max((document["entries"] for document in mirror.documents()), default=0)


def look(directory: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Verify a mirror; it may be impossible, but it never is an accusation."""
    done = in_process("verify", str(directory), "--json", *arguments)
    document = json.loads(done.stdout)
    assert done.exit_code in (0, 3), document
    return done.exit_code, document


@pytest.fixture
def site(place: Path) -> Iterator[Site]:
    with Network(place / "network") as network:
        if not network.isolated:
            pytest.skip("a mirror finds its backend in a network of the test's own alone")
        yield Site(network, place)


def test_a_mirror_that_is_killed_again_and_again_loses_nothing_that_it_told(
    site: Site, place: Path
) -> None:
    directory, random = place / "mirror", Random(20)
    first = site.mirror(directory, "--once")  # the backend rests: all that there is
    first.wait()
    codes = [look(directory)[0]]
    for _ in range(KILLS):
        site.keep_busy()
        mirror = site.mirror(directory)
        mirror.wait_until("a key", (directory / "call-log.key").exists)
        more = random.randrange(300)
        for _ in range(random.randrange(1, 7)):  # at some moment or other
            codes.append(look(directory, *random.choice([(), ("--allow-older",)]))[0])
            if told(mirror) > more:
                break
        mirror.kill()
        assert site.entries_in(directory) >= told(mirror)
        codes.append(look(directory, "--allow-older")[0])
    assert codes[0] == 0  # and it is not that there is never anything to be checked

    # What it serves is right, also for another mirror, which is served on in its turn.
    site.rest()
    mirror = site.mirror(directory)
    mirror.wait_until("all entries", lambda: told(mirror) == 1 + ROUND * site.rounds)
    other = site.mirror(directory)
    other.wait(exit_code=2)
    assert "in use by another process" in other.errors()
    site.host.stop()
    second = site.mirror(place / "second", "--once")
    second.wait()
    assert told(second) == told(mirror)
    mirror.process.send_signal(signal.SIGINT)
    mirror.wait()
    for program in (site.host, mirror, second):
        assert "Traceback" not in program.errors()
    for name in FEEDS:
        data = (site.directory / name).read_bytes()
        assert (directory / name).read_bytes() == data == (place / "second" / name).read_bytes()
    code, document = look(place / "second")
    assert (code, document["entries"]) == (0, told(mirror))


def test_a_mirror_without_room_ends_and_goes_on_when_there_is_some(site: Site, place: Path) -> None:
    site.keep_busy()
    directory = place / "mirror"
    mirror = site.mirror(directory)
    mirror.wait_until("a beginning", lambda: told(mirror) > 1)
    resource.prlimit(mirror.pid, resource.RLIMIT_FSIZE, (200_000, UNLIMITED))
    mirror.wait(exit_code=3)
    assert "File too large" in mirror.errors()
    assert "Traceback" not in mirror.errors()
    assert site.entries_in(directory) >= told(mirror)
    look(directory, "--allow-older")
    site.rest()
    again = site.mirror(directory, "--once")
    again.wait()
    assert told(again) == 1 + ROUND
    assert look(directory)[0] == 0
