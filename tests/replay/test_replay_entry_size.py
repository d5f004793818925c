"""No script can make its host write an entry that a verifier would refuse."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cheating_host import Honest

from nodevms.audit import Verifier
from nodevms.errors import UsageError
from nodevms.sandbox import Engine
from nodevms.vm import VM, CallError, Limits
from nodevms.vm.errors import CallerError, ScriptError

LONG = """
const fs = System.files
const folder = '/' + Array(15).fill('"'.repeat(254)).join('/')
exports.fill = async count => {
  for (let i = 0; i < count; i++) await fs.writeFile(`${folder}/${i}`, 'x')
}
exports['"'.repeat(500000)] = async () => '"'.repeat(1000000)
"""


def test_quotes_in_paths_and_names_count_as_they_are_spelled(
    engine: Engine, tmp_path: Path
) -> None:
    honest = Honest(engine, tmp_path / "backend")
    limits = Limits(args_bytes=2 << 20, result_bytes=2 << 20)
    big = "x" * ((2 << 20) - 4)
    honest.run(LONG, [("fill", 3), ("fill", 600), ('"' * 500000, big)], limits=limits)
    kept, paths, name = honest.answers
    assert kept is None
    for refused in (paths, name):
        assert isinstance(refused, CallError)
        assert b'"ERR_ENTRY_SIZE"' in refused.err
    assert Verifier(engine).verify(honest.directory).calls == 3


@pytest.mark.parametrize(
    ("code", "limits", "sentence"),
    [
        ("exports.f = () => 1 //" + "\x01" * 900_000, Limits(), "The entry would have"),
        (
            "exports.f = () => 1; exports.init = () => System.files.writeFile('/a', 'long')",
            Limits(written_bytes=3),
            "The call would write more than 3 bytes",
        ),
    ],
)
def test_a_start_that_fits_no_entry_is_refused(
    engine: Engine, tmp_path: Path, code: str, limits: Limits, sentence: str
) -> None:
    vm = VM(code, engine=engine)
    with pytest.raises(ScriptError, match=sentence):
        asyncio.run(vm.deploy(dir=tmp_path / "backend", limits=limits))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ["//" + "x" * (1 << 20), "'\ud800'"])
def test_a_script_is_text_of_at_most_a_mebibyte(code: str) -> None:
    with pytest.raises(ScriptError):
        VM(code)


@pytest.mark.parametrize("title", ["\udcff", "x" * 1025])
def test_a_title_is_text_of_at_most_a_kibibyte(engine: Engine, tmp_path: Path, title: str) -> None:
    vm = VM("exports.f = () => 1", engine=engine)
    with pytest.raises(UsageError, match="title"):
        asyncio.run(vm.deploy(dir=tmp_path / "backend", title=title))
    assert list(tmp_path.iterdir()) == []


async def test_a_callers_name_is_short_text(engine: Engine, tmp_path: Path) -> None:
    vm = VM("exports.f = () => System.caller.id", engine=engine)
    await vm.deploy(dir=tmp_path / "backend", debug=True)
    try:
        for caller in ("", "\ud800", "x" * 257):
            with pytest.raises(CallerError):
                await vm.exports.f(caller=caller)
        assert await vm.exports.f(caller="é" * 128) == "é" * 128
    finally:
        await vm.close()
