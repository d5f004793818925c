"""``kill -9`` under load, again and again: what was acknowledged stays, and nothing runs twice.

This tests the mechanism in a few rounds; the kills come after random numbers of answers.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from command_line import PATIENCE_S, call_with_npm_client, in_process, serving, start
from load import SCRIPT, Load, entries_of

from nodevms.archive import Publisher
from nodevms.feed import Feed
from nodevms.vm.entries import Init, Restart

ROUNDS = 6


async def test_what_was_acknowledged_survives_every_kill(place: Path) -> None:
    chance = random.Random(2017)
    load = Load()
    for _ in range(ROUNDS):
        server = start(SCRIPT, "--dir", "crash")
        await load.run(server, chance.randrange(1, 400))
        server.process.wait(PATIENCE_S)
        assert server.log() == ""
        server.output.close()
    with serving(SCRIPT, "--dir", "crash") as server:
        assert server.log() == ""
        entries = entries_of("crash")
        load.check(entries)
        starts = [entry for entry in entries if isinstance(entry, Init | Restart)]
        assert len(starts) == ROUNDS + 1
        total = len(entries) - len(starts)
        assert total >= len(load.acknowledged) > ROUNDS
        assert call_with_npm_client(server.address, ("total", [])) == [{"value": total}]
    done = in_process("verify", "crash", "--json")
    assert done.exit_code == 0, done.stdout
    assert json.loads(done.stdout)["filesLag"] == 0  # what the kills left out was published


def test_a_publication_that_a_crash_left_out_is_made_at_the_next_start(place: Path) -> None:
    server = start(SCRIPT, "--dir", "crash")
    shutil.copytree("crash/files/metadata", "unpublished")
    calls = [("put", [n, "x"]) for n in range(3)]
    call_with_npm_client(server.address, *calls)
    server.process.kill()
    server.process.wait(PATIENCE_S)
    server.output.close()
    shutil.rmtree("crash/files/metadata")  # as if nothing had been published before the kill
    shutil.copytree("unpublished", "crash/files/metadata")
    with serving(SCRIPT, "--dir", "crash"):
        pass
    metadata = Feed.open(Path("crash/files/metadata"), "", writable=False)
    content = Feed.open(Path("crash/files/content"), "", writable=False)
    marker = Publisher(metadata, content).last_marker()
    metadata.close()
    content.close()
    assert marker == 5  # init, three calls, the restart
    assert in_process("verify", "crash").exit_code == 0
