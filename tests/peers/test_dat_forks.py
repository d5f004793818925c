"""A feed that was copied with its secret key, and then went on differently in both places."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dat_fetching import check_evidence, fetching
from network import Network
from program import Program

from nodevms.feed import ForkError, PartialFeed

COMMON, LENGTH, SIZE = 30, 40, 100
FORKS = {"shorter": 33, "as long": LENGTH, "longer": 70}


class Copies:
    """Real hypercore programs, each with its copy of one feed.

    Attributes:
        key: Of all.
        ports: ``honest``, ``before`` (what is common to all), ``parting`` and those of `FORKS`.
        blocks: Of the honest one.
        parting: The program of one that has what is common, and may be told to go on.
    """

    def __init__(self, network: Network, place: Path) -> None:
        before = place / "before"
        maker, _ = self._serve(network, before, COMMON)
        maker.stop()
        lengths = {"honest": LENGTH, **FORKS}
        self.ports = {}
        for name, length in lengths.items():
            shutil.copytree(before, place / name)
            size = SIZE if name == "honest" else SIZE + 1
            _, ready = self._serve(network, place / name, length - COMMON, size)
            self.ports[name] = ready["port"]
        shutil.copytree(before, place / "parting")
        self.parting, ready = self._serve(network, place / "parting")
        self.ports["parting"] = ready["port"]
        _, ready = self._serve(network, before)
        self.ports["before"] = ready["port"]
        self.key = bytes.fromhex(ready["key"])
        data = (place / "honest" / "data").read_bytes()
        self.blocks = [data[at : at + SIZE] for at in range(0, len(data), SIZE)]

    @staticmethod
    def _serve(
        network: Network, directory: Path, count: int = 0, size: int = SIZE
    ) -> tuple[Program, dict]:
        program = network.node("hypercore_serve.js", str(directory), "0")
        ready = program.wait_event("ready")
        if count:
            program.tell({"count": count, "size": size})
            program.wait_event("appended", length=ready["length"] + count)
        return program, ready


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    place = tmp_path_factory.mktemp("copies")
    with Network(place / "network", isolated=False) as network:
        yield Copies(network, place)


@pytest.mark.parametrize("fork", FORKS)
async def test_the_second_history_is_refused_and_proved(
    fork: str, copies: Copies, tmp_path: Path
) -> None:
    async with fetching(tmp_path, copies.key, copies.ports["honest"]) as ours:
        assert await ours.whole(LENGTH) == copies.blocks
        head = ours.feed.newest_head()
    with pytest.raises(ForkError) as caught:
        async with fetching(tmp_path, copies.key, copies.ports[fork]) as ours:
            await ours.whole(LENGTH + 1)
    assert (caught.value.old, caught.value.new.length) == (head, FORKS[fork])
    check_evidence(tmp_path, copies.key)
    with PartialFeed.open(tmp_path, "", copies.key) as feed:
        assert feed.head() == head
        assert [feed.get(index) for index in range(feed.length)] == copies.blocks


async def test_both_at_once_are_a_fork_whichever_is_first(copies: Copies, tmp_path: Path) -> None:
    """Several at a time: hypercore's proofs are full only until it was told which nodes we hold."""

    async def meet(place: Path) -> None:
        ports = [copies.ports[name] for name in ("honest", "longer")]
        with pytest.raises(ForkError):
            async with fetching(place, copies.key, *ports) as ours:
                await ours.whole(FORKS["longer"] + 1)
        check_evidence(place, copies.key)

    await asyncio.gather(*(meet(tmp_path / str(number)) for number in range(8)))


async def test_what_is_common_is_no_fork_and_the_download_goes_on_after_one(
    copies: Copies, tmp_path: Path
) -> None:
    async with fetching(tmp_path, copies.key, copies.ports["before"]) as ours:
        assert await ours.whole(COMMON) == copies.blocks[:COMMON]
        ours.ask(copies.ports["honest"])
        await ours.whole(LENGTH)
    with pytest.raises(ForkError):
        async with fetching(tmp_path, copies.key, copies.ports["longer"]) as ours:
            await ours.whole(LENGTH + 1)
    ports = [copies.ports[name] for name in ("before", "honest")]
    async with fetching(tmp_path, copies.key, *ports) as ours:
        await ours.until(lambda: ours.fetch.heard)
        assert await ours.whole(LENGTH) == copies.blocks
        assert ours.fetch.failure is None


async def test_a_peer_that_goes_another_way_while_we_follow_it_is_caught(
    copies: Copies, tmp_path: Path
) -> None:
    """Its head agreed with ours at first, so that hypercore's proofs are no longer full."""
    async with fetching(tmp_path, copies.key, copies.ports["parting"]) as ours:
        await ours.whole(COMMON)
        ours.ask(copies.ports["honest"])
        await ours.whole(LENGTH)
        copies.parting.tell({"count": LENGTH, "size": SIZE + 1})
        with pytest.raises(ForkError):
            await ours.whole(LENGTH + 1)
    check_evidence(tmp_path, copies.key)
