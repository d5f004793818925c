"""A limit that a start meets: nothing is recorded, and what was there goes on."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from command_line import in_process
from hostile_places import LIMITS, MEETINGS, STARTS

from nodevms.audit import Verifier
from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.errors import ScriptError

CROSS = list(itertools.product(STARTS, MEETINGS))
NAMES = [", ".join(pair) for pair in CROSS]


async def deployed(engine: Engine, code: str, directory: Path, *, upgrade: bool = False) -> None:
    vm = VM(code, engine=engine)
    await vm.deploy(dir=directory, limits=LIMITS, upgrade=upgrade)
    await vm.close()


def written(place: str, meeting: str, hook: str) -> str:
    return STARTS[place].replace("BODY", MEETINGS[meeting][0]).replace("HOOK", hook)


@pytest.mark.parametrize(("place", "meeting"), CROSS, ids=NAMES)
def test_a_first_start_leaves_nothing(
    engine: Engine, tmp_path: Path, place: str, meeting: str
) -> None:
    with pytest.raises(ScriptError) as caught:
        asyncio.run(deployed(engine, written(place, meeting, "init"), tmp_path / "backend"))
    _, code, message = MEETINGS[meeting]
    assert caught.value.code == "script-limit"
    assert caught.value.exit_code == 2
    assert message in str(caught.value)
    assert code in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def before(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("upgrades") / "backend"
    asyncio.run(deployed(engine, "exports.f = () => 1", directory))
    return directory


@pytest.mark.parametrize(("place", "meeting"), CROSS, ids=NAMES)
async def test_an_upgrade_leaves_what_was_there(
    engine: Engine, before: Path, place: str, meeting: str
) -> None:
    log = (before / "call-log.data").read_bytes()
    with pytest.raises(ScriptError, match=MEETINGS[meeting][1]):
        await deployed(engine, written(place, meeting, "upgrade"), before, upgrade=True)
    assert (before / "call-log.data").read_bytes() == log


async def test_after_them_it_starts_and_verifies(engine: Engine, before: Path) -> None:
    await deployed(engine, "exports.f = () => 1", before)
    assert Verifier(engine).verify(before).calls == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["gas=30000000"], "Out of gas: a call may use 30,000,000 (ERR_GAS)"),
        (["gas=3000000000", "memory_bytes=4000000"], "a call may use 4,000,000 bytes (ERR_MEMORY)"),
        (["gas=3000000000", "archive_bytes=3"], "The files would have 4 bytes; 3 are allowed"),
        (
            ["gas=3000000000", "archive_paths=1"],
            "There would be 2 files and folders; 1 are allowed",
        ),
    ],
)
def test_exec_says_so_and_makes_nothing(place: Path, options: list[str], sentence: str) -> None:
    Path("script.js").write_text(
        "exports.f = () => 1\n"
        "exports.init = async () => { await System.files.writeFile('/d/a', 'long'); 'x'.repeat(5e6) }"
    )
    limits = [part for option in options for part in ("--limit", option)]
    done = in_process("exec", "script.js", "-p", "0", *limits)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert [path.name for path in place.iterdir()] == ["script.js"]


async def test_what_a_start_writes_counts_for_the_archive(engine: Engine, tmp_path: Path) -> None:
    code = "exports.init = () => System.files.writeFile('/a', 'four'); exports.f = () => System.files.writeFile('/b', 'x')"
    vm = VM(code, engine=engine)
    await vm.deploy(dir=tmp_path / "backend", limits=Limits(archive_bytes=4))
    assert b"ERR_ARCHIVE_BYTES" in ((await vm.call("f", b"[]")).error or b"")
    await vm.close()
