"""The example of docs/network.md, typed as it is printed: three people in one network.

A line such as ``bob$ nodevms …`` is typed by Bob, in his folder; what stands below is what comes.
``^C`` ends what he serves. Lines at the beginning of a block are what the last of the programs that
go on says next.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest
from command_line import ROOT, example, in_process
from network import Network
from program import Program

PAGE = (ROOT / "docs" / "network.md").read_text()
SECTION = PAGE.partition("\n## A whole example\n")[2].partition("\n## ")[0]
BLOCKS = [block.rstrip("\n") for block in re.findall(r"(?:^(?:    .*)?\n)+", SECTION, re.MULTILINE)]
TYPED = re.compile(r"^    (bob|carol|dave)\$ (.*)$", re.MULTILINE)
KEY = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8,}…")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+")
GOES_ON = ("exec", "mirror")
COMPILED = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
"""Where the engine of this run of the tests is, compiled."""


class Example:
    """The example as it goes: folders of three people, the keys, and what runs."""

    def __init__(self, network: Network, place: Path) -> None:
        self.network = network
        self.place = place
        self.keys: dict[str, str] = {}
        self.running: dict[str, Program] = {}
        self.last: Program | None = None
        self.said = 0
        for person in ("bob", "carol", "dave"):
            (place / person).mkdir()
        shutil.copy(example("persistent-counter.js"), place / "bob")

    def typed(self, person: str, line: str, expected: str) -> None:
        """Do what a person types, and compare what comes."""
        if line == "^C":
            program = self.running.pop(person)
            program.process.send_signal(signal.SIGINT)
            program.wait()
            assert not expected
            return
        for key, real in self.keys.items():
            line = line.replace(key, real)
        words = shlex.split(line)
        if "clone" in words:
            self.wait_for_publication()
        program = self.start(person, words)
        if words[1] in GOES_ON:
            self.running[person] = self.last = program
            self.said = 0
            self.goes_on(expected)
            return
        program.wait(exit_code=0)
        self.learn(expected, program.output())
        assert self.plain(program.output()).splitlines() == self.plain(expected).splitlines()

    def start(self, person: str, words: list[str]) -> Program:
        home = self.place / person
        command = [sys.executable, "-m", *words] if words[0] == "nodevms" else words
        # What goes to a terminal, in the order in which it comes there.
        return self.network.start(
            f"{person}-{words[1]}",
            ["sh", "-c", 'exec "$@" 2>&1', "sh", *command],
            cwd=home,
            env={
                "NODEVMS_SWARM": "yes",
                "HOME": str(home),
                "XDG_STATE_HOME": str(home / ".local" / "state"),
                "XDG_CACHE_HOME": COMPILED,
            },
        )

    def goes_on(self, expected: str) -> None:
        """Wait until the last of the programs that go on has said this."""
        program = self.last
        assert program is not None

        def look() -> bool:
            said = program.output()[self.said :]
            self.learn(expected, said)
            return self.plain(said).rstrip("\n").endswith(self.plain(expected).rstrip("\n"))

        program.wait_until(self.plain(expected), look)
        self.said = len(program.output())

    def learn(self, expected: str, said: str) -> None:
        """Remember which key stands for which of the page."""
        for shown, real in zip(KEY.findall(expected), KEY.findall(said), strict=False):
            self.keys.setdefault(shown, real)

    def plain(self, text: str) -> str:
        """Return a text without what is different each time, with the page's keys."""
        for key, real in self.keys.items():
            text = text.replace(real, key)
        text = text.replace(str(self.place), "/home")
        return TIME.sub("TIME", re.sub(r"on port \d+", "on port PORT", text))

    def wait_for_publication(self) -> None:
        """Wait until the drive reflects all calls, as somebody who types does."""
        bob = self.running.get("bob")
        if bob is not None:
            bob.wait_until("publication", lambda: not self.lag(), timeout_s=60)

    def lag(self) -> bool:
        directory = str(self.place / "bob" / "persistent-counter")
        done = in_process("verify", directory, "--json", "--no-memory")
        document = json.loads(done.stdout)
        return bool(document["publishedEntries"] != document["entries"])


def parted(block: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Return what a block begins with, and (who, what is typed, what comes) of its commands."""
    pieces = TYPED.split(block)
    said, *rest = [re.sub(r"^    ", "", piece, flags=re.MULTILINE).strip("\n") for piece in pieces]
    return said, list(zip(rest[::3], rest[1::3], rest[2::3], strict=True))


@pytest.mark.timeout(300)  # a dozen programs, one after the other
def test_everything_comes_as_the_page_prints_it(network: Network, tmp_path: Path) -> None:
    if not network.isolated:
        pytest.skip("who shares a backend is found in a network of the test's own alone")
    place = tmp_path / "home"
    place.mkdir()
    doing = Example(network, place)
    for block in BLOCKS:
        said, turns = parted(block)
        if said:
            doing.goes_on(said)
        for person, typed, printed in turns:
            doing.typed(person, typed, printed)
    assert "carol" in doing.running  # and so the host is gone when the rest is read
    assert len(BLOCKS) > 3
